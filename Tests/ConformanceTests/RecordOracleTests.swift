import Foundation
import TestSupport
import Testing

@testable import ZoneCompiler

/// 9,000 records in every run; `REFLECTOR_RECORDS=100000` for more, `REFLECTOR_RECORD_SEED` for other records.
@Suite("Records against other name servers' checkers")
struct RecordOracleTests {
    /// Records per zone; fewer than the maximum number of problems kept for one file.
    private static let perZone = 900
    /// Lines before the records of a zone.
    private static let head = "$TTL 60\n@ SOA ns1 hostmaster 1 3600 600 604800 5\n@ NS ns1\nns1 A 192.0.2.1\n"

    private static func environment(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    @Test("Records that BIND, Knot and NSD all refuse are refused here, and those that all accept are accepted")
    func allTypes() throws {
        let total = Self.environment("REFLECTOR_RECORDS") ?? 9_000
        let seed = Self.environment("REFLECTOR_RECORD_SEED") ?? 7
        var generator = RecordGenerator(seed: UInt64(seed))
        let directory = try TemporaryFolder()
        defer { directory.remove() }
        var (accepted, refused, split) = (0, 0, 0)
        var faults: [String] = []
        for _ in 0..<(total + Self.perZone - 1) / Self.perZone {
            let lines = (0..<Self.perZone).map { "o\($0) \(generator.line())" }
            let text = Self.head + lines.joined(separator: "\n") + "\n"
            let others = try CheckerRun.all.map { try $0.refusedLines(text, in: directory) }
            let problems = ZoneCompiler.compile(files: [("lab.test.zone", Array(text.utf8))]).errors
            let ours = Dictionary(grouping: problems, by: \.line)
            for (index, line) in lines.enumerated() {
                let number = index + 5
                let count = others.count { $0.contains(number) }
                if count == others.count {
                    refused += 1
                    if ours[number] == nil, try Self.isAgreed(line, refused: true, directory) {
                        faults.append("accepted, but all refuse it: \(line)")
                    }
                } else if count == 0 {
                    accepted += 1
                    if let problem = ours[number]?.first, !Self.isOurRule(problem.message),
                        try Self.isAgreed(line, refused: false, directory)
                    {
                        faults.append("refused, but all accept it: \(line): \(problem.message)")
                    }
                } else {
                    split += 1
                }
            }
        }
        print("record oracle: seed \(seed), all accept \(accepted), all refuse \(refused), they differ on \(split)")
        #expect(
            faults.isEmpty, "\(faults.count) of \(total), seed \(seed):\n\(faults.prefix(40).joined(separator: "\n"))")
        #expect(accepted > total / 10 && refused > total / 20)
    }

    /// True if all checkers agree about the record in a zone of its own: in a zone with many records, BIND stops at
    /// some errors and does not report later ones.
    private static func isAgreed(_ line: String, refused: Bool, _ directory: TemporaryFolder) throws -> Bool {
        try CheckerRun.all.allSatisfy { checker in
            try checker.refusedLines(head + line + "\n", in: directory).isEmpty != refused
        }
    }

    /// True if the message is about a rule that our zones have in addition to valid record data.
    private static func isOurRule(_ message: String) -> Bool {
        message.contains("has no address in the zone") || message.contains("is a CNAME")
    }

    @Test("The same holds for numbers and times of an SOA")
    func startOfAuthority() throws {
        let directory = try TemporaryFolder()
        defer { directory.remove() }
        for data in [
            "1 3600 600 604800 5", "4294967295 1h 10m 1w 5", "4294967296 1 1 1 1", "-1 1 1 1 1", "20261126011 1 1 1 1",
            "1 -1 1 1 1", "1 100000w 1 1 1", "1 1 1 1", "1 1 1 1 1 1", "1 2147483647 1 1 1", "1 4294967296 1 1 1",
            "1 1h30m 1 1 1", "1 1x 1 1 1", "x 1 1 1 1",
        ] {
            let text = "$TTL 60\n@ SOA ns1 hostmaster \(data)\n@ NS ns1\nns1 A 192.0.2.1\n"
            let others = try CheckerRun.all.map { try $0.refuses(text, in: directory) }
            let problems = ZoneCompiler.compile(files: [("lab.test.zone", Array(text.utf8))]).errors
            if Set(others).count == 1 { #expect(others[0] == !problems.isEmpty, "\(data): \(problems)") }
        }
    }
}

/// Another name server's checker of master files, and the format in which it reports refused lines.
struct CheckerRun {
    var command: String
    var arguments: [String]
    /// The text before and after the number of a refused line.
    var before: String
    var behind: Character

    static let all = [
        CheckerRun(
            command: "named-checkzone",
            arguments: [
                "-i", "none", "-k", "ignore", "-n", "ignore", "-m", "ignore", "-r", "ignore", "-S", "ignore",
                "lab.test",
            ],
            before: "z.db:", behind: ":"),
        CheckerRun(
            command: "kzonecheck", arguments: ["-v", "-d", "off", "-o", "lab.test"], before: "z.db', line ", behind: " "
        ),
        CheckerRun(command: "nsd-checkzone", arguments: ["lab.test"], before: "z.db:", behind: ":"),
    ]

    func refusedLines(_ text: String, in directory: TemporaryFolder) throws -> Set<Int> {
        var lines: Set<Int> = []
        // BIND loads a zone whose signatures have expired, and its message about them lacks the word "warning".
        for line in try run(text, directory).output.split(separator: "\n")
        where !line.contains("warning:") && !line.contains("signature has expired") {
            guard let start = line.range(of: before), let end = line[start.upperBound...].firstIndex(of: behind),
                let number = Int(line[start.upperBound..<end])
            else { continue }
            lines.insert(number)
        }
        return lines
    }

    func refuses(_ text: String, in directory: TemporaryFolder) throws -> Bool { try run(text, directory).status != 0 }

    func run(_ text: String, _ directory: TemporaryFolder) throws -> (status: Int32, output: String) {
        let file = directory.url.appendingPathComponent("z.db")
        try Data(text.utf8).write(to: file)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "-s", "KILL", "60", command] + arguments + [file.path]
        process.environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus != 137, "\(command) hangs on \(file.path)")
        return (process.terminationStatus, output)
    }
}
