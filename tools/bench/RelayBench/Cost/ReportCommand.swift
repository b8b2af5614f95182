import ArgumentParser
import Foundation

/// Prints the medians of a results file and checks the targets.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report", abstract: "Medians of a results file, as a table, with the targets checked.")

    @Argument(help: "Results file of `relay-bench compare`.")
    var results: String

    func run() throws {
        let all = try ResultsFile.read(Measurement.self, from: results)
        for shape in Shape.allCases {
            let measured = all.filter { $0.shape == shape }
            if !measured.isEmpty { try print(measured, shape) }
        }
    }

    private func print(_ measured: [Measurement], _ shape: Shape) throws {
        let counts = Set(measured.map(\.children)).sorted()
        let title = shape == .single ? "each packet alone" : "runs of \(shape.burst) packets"
        Swift.print("\n\(title): µs of CPU per packet sent to a child, median (minimum to maximum) [delivered %]")
        Swift.print(row("children", counts.map { "\($0)" }))
        for contender in Contender.allCases {
            let cells = counts.map { count in
                cell(measured.filter { $0.contender == contender && $0.children == count })
            }
            Swift.print(row(contender.rawValue, cells))
        }
        for (name, top, bottom) in ratios(shape) {
            let cells = counts.map { count in
                let value = median(measured, top, count).flatMap { a in
                    median(measured, bottom, count).map { a / $0 }
                }
                return value.map { String(format: "%.2f", $0) } ?? "-"
            }
            Swift.print(row(name, cells))
        }
    }

    private func ratios(_ shape: Shape) -> [(String, Contender, Contender)] {
        [
            ("ours / floor", .ours, .floor), ("ours / floor-gso", .ours, .floorGSO), ("srt / ours", .srt, .ours),
            ("rist / ours", .rist, .ours), ("ffmpeg / ours", .ffmpeg, .ours),
        ]
    }

    private func median(_ measured: [Measurement], _ contender: Contender, _ children: Int) -> Double? {
        let values = measured.filter { $0.contender == contender && $0.children == children }.map(\.microseconds)
        return values.isEmpty ? nil : values.sorted()[values.count / 2]
    }

    private func cell(_ measured: [Measurement]) -> String {
        let values = measured.map(\.microseconds).sorted()
        guard let least = values.first, let most = values.last else { return "-" }
        let delivered = measured.map(\.delivered).sorted()[measured.count / 2] * 100
        return String(format: "%.2f (%.2f-%.2f) [%.1f]", values[values.count / 2], least, most, delivered)
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        ([name] + cells).enumerated().map { index, text in
            text.padding(toLength: index == 0 ? 18 : 28, withPad: " ", startingAt: 0)
        }.joined()
    }
}
