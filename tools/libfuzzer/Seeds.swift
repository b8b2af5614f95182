import Foundation

/// Writes a corpus of queries of every kind into the given directory: the seeds of coverage-guided mutation.
@main
enum Seeds {
    static func main() throws {
        let directory = CommandLine.arguments.dropFirst().first ?? "corpus"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var mutator = QueryMutator(seed: 1)
        for number in 0..<2_000 {
            let message = [UInt8(truncatingIfNeeded: mutator.number(below: 256))] + mutator.next()
            try Data(message).write(to: URL(fileURLWithPath: "\(directory)/seed-\(number)"))
        }
    }
}
