import ArgumentParser
import Foundation

/// Measures every transport over every kind of link in the table. Each kind of link is a point; all transports run over
/// it at the same time, so that all have the same conditions on the machine.
struct DeliveryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery", abstract: "Measure delivery over bad links and append to a results file.")

    @Option(help: "Seconds for each point.")
    var seconds = 60.0
    @Option(help: "Rounds over all points.")
    var rounds = 1
    @Option(help: "Receivers of our stream, each with a link of its own; their packets are pooled.")
    var receivers = 4
    @Option(parsing: .upToNextOption, help: "Points by number (0 is jitter without loss); default: all.")
    var points = Array(LinkCondition.table.indices)
    @Option(parsing: .upToNextOption, help: "Transports: ours, srt, rist.")
    var transports = Transport.allCases
    @Option(help: "Second byte of the loopback addresses of the first run; up to four further runs count up from it.")
    var net = 99
    @Option(help: "File to which measurements are appended.")
    var results: String
    @Option(help: "Folder for keys, identities, zones and logs.")
    var folder: String

    func validate() throws {
        guard points.allSatisfy(LinkCondition.table.indices.contains) else {
            throw ValidationError("--points must be 0 to \(LinkCondition.table.count - 1)")
        }
    }

    func run() throws {
        let file = try ResultsFile(results)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for round in 1...max(rounds, 1) {
            for point in points {
                try measure(LinkCondition.table[point], round: round, into: file)
            }
        }
    }

    private func measure(_ condition: LinkCondition, round: Int, into file: ResultsFile) throws {
        let runs = transports.flatMap { transport in
            (transport == .ours ? [120] : [120, 500]).map { (transport: transport, milliseconds: $0) }
        }
        let started = try runs.enumerated().map { index, run in
            let name = "\(folder)/\(run.transport)-\(run.milliseconds)"
            var words = [CommandLine.arguments[0], "deliver", "--transport", run.transport.rawValue]
            words += ["--milliseconds", "\(run.milliseconds)", "--seconds", "\(seconds)"]
            words += ["--loss", "\(condition.lossPercent)", "--burst", "\(condition.burst)"]
            words += ["--jitter", "\(condition.jitterMilliseconds)", "--net", "\(net + index)", "--folder", name]
            words += ["--seed", "\(UInt32.random(in: 1 ... .max))"]
            if run.transport == .ours { words += ["--receivers", "\(receivers)"] }
            return (name, try Companion(words, processor: nil, output: name + ".json", log: name + ".log"))
        }
        for (name, process) in started {
            guard process.wait(), let text = FileManager.default.contents(atPath: name + ".json") else {
                ResultsFile.say("\(condition.name): nothing measured, see \(name).log")
                continue
            }
            let report = try JSONDecoder().decode(DeliveryReport.self, from: text)
            try file.append(report)
            ResultsFile.say(
                "round \(round), \(condition.name), \(report.transport) \(report.milliseconds) ms: "
                    + "\(report.missing) of \(report.packets) missing, overhead "
                    + String(
                        format: "%.2f %%, delay %.1f ms, largest gap %.0f ms, machine stalled %.0f ms",
                        report.overheadPercent ?? .nan, report.delayMedian, report.gapMax, report.stallMax))
        }
    }
}

/// One kind of link, and our limits on it.
struct LinkCondition {
    var lossPercent: Double
    var burst: Double
    var jitterMilliseconds = 0.0
    /// Maximum residual loss of our transport in per cent, for packet-driven loss at a play-out deadline of 120 ms.
    var residualMax: Double?
    /// Maximum retransmit overhead of our transport, in per cent.
    var overheadMax: Double

    var name: String {
        jitterMilliseconds > 0
            ? String(format: "jitter 0 to %.0f ms", jitterMilliseconds)
            : String(format: "%.0f %% / %.0f", lossPercent, burst)
    }

    /// Point 0 has no loss, so all retransmits there are unnecessary.
    static let table = [
        LinkCondition(lossPercent: 0, burst: 1, jitterMilliseconds: 10, residualMax: nil, overheadMax: 1),
        LinkCondition(lossPercent: 1, burst: 1, residualMax: 0.0005, overheadMax: 1.1),
        LinkCondition(lossPercent: 1, burst: 5, residualMax: 0.001, overheadMax: 1.15),
        LinkCondition(lossPercent: 3, burst: 1, residualMax: 0.001, overheadMax: 3.5),
        LinkCondition(lossPercent: 3, burst: 5, residualMax: 0.010, overheadMax: 3.5),
        LinkCondition(lossPercent: 10, burst: 1, residualMax: 0.05, overheadMax: 13),
        LinkCondition(lossPercent: 10, burst: 5, residualMax: 0.15, overheadMax: 13),
    ]

    func covers(_ report: DeliveryReport) -> Bool {
        report.lossPercent == lossPercent && report.burst == burst && report.hops == 0
            && report.jitterMilliseconds == jitterMilliseconds
    }
}
