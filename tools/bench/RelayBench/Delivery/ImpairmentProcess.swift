import Foundation

/// A running `reflector impair`.
final class ImpairmentProcess {
    /// The part of its report that is used here.
    struct Report: Codable {
        var largeUp: UInt64
        var largeDown: UInt64
    }

    private let process: Companion
    private let output: String
    private var hasEnded = false

    init(_ testbed: DeliveryTestbed, _ arguments: [String]) throws {
        output = testbed.folder + "/impairment.json"
        process = try testbed.start(["impair"] + arguments, output: output)
    }

    deinit { if !hasEnded { process.end() } }

    /// Ends it; nil if it gave no report.
    func finish() -> Report? {
        hasEnded = true
        process.end(SIGTERM)
        return FileManager.default.contents(atPath: output).flatMap {
            try? JSONDecoder().decode(Report.self, from: $0)
        }
    }
}
