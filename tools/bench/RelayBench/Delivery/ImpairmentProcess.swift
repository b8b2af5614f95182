import Foundation

/// A running `reflector impair`.
final class ImpairmentProcess {
    /// What it reports of its own accord, as far as it is read here.
    struct Report: Codable {
        var largeUp: UInt64
        var largeDown: UInt64
    }

    private let process: Companion
    private let output: String
    private var hasEnded = false

    init(_ place: DeliveryPlace, _ arguments: [String]) throws {
        output = place.folder + "/impairment.json"
        process = try place.start(["impair"] + arguments, output: output)
    }

    deinit { if !hasEnded { process.end() } }

    /// Ends it; nil if it did not say what it did.
    func finish() -> Report? {
        hasEnded = true
        process.end(SIGTERM)
        return FileManager.default.contents(atPath: output).flatMap {
            try? JSONDecoder().decode(Report.self, from: $0)
        }
    }
}
