import Foundation
import Glibc
import TestSupport
import Testing

@testable import ZoneCompiler

@Suite("A directory of zone files")
struct ZoneDirectoryTests {
    /// Problems of a directory with one additional entry, named `x.org.zone`, which `make` creates at the given path.
    private func problems(_ make: (String) throws -> Void) throws -> [String] {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let folder = temporary.path
        try make(folder + "/x.org.zone")
        return try ZoneDirectory.compile(folder).problems.map { $0.description(in: "zones") }
    }

    @Test("Unreadable entries are reported by kind, and none blocks or is read endlessly")
    func unreadable() throws {
        let cases: [(expected: String, make: (String) throws -> Void)] = [
            (
                "a link that leads nowhere (to nowhere);",
                { try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "nowhere") }
            ),
            (
                "symbolic links that lead in a cycle (to x.org.zone);",
                { try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "x.org.zone") }
            ),
            (
                "a folder, not a file;",
                { try FileManager.default.createDirectory(atPath: $0, withIntermediateDirectories: false) }
            ),
            ("a FIFO, not a regular file;", { mkfifo($0, 0o644) }),
            (
                "a device, not a regular file;",
                { try FileManager.default.createSymbolicLink(atPath: $0, withDestinationPath: "/dev/zero") }
            ),
            (
                "file of 20000000000 bytes is over the limit of 67108864;",
                {
                    try Data().write(to: URL(fileURLWithPath: $0))
                    truncate($0, 20_000_000_000)
                }
            ),
        ]
        for (expected, make) in cases {
            let found = try problems(make)
            #expect(found.contains { $0.hasPrefix("zones/x.org.zone:1:1: \(expected)") }, "\(expected): \(found)")
            // An unreadable file still counts as present.
            #expect(found.count == 1, "\(found)")
        }
    }

    @Test("A problem of the directory itself has no line")
    func empty() throws {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let folder = temporary.path
        let problem = try #require(try ZoneDirectory.compile(folder).problems.first)
        #expect(problem.description(in: "empty").hasPrefix("empty: no .zone file here; "))
        #expect(problem.description.hasPrefix("no .zone file here; "))
    }

    @Test(
        "A path that is not a directory is reported with the cause",
        arguments: [("/nowhere", "no such file or directory"), ("/etc/passwd", "not a folder")])
    func noDirectory(_ path: String, _ cause: String) {
        let error = #expect(throws: ZoneDirectory.Unreadable.self) { try ZoneDirectory.compile(path) }
        #expect(error?.description == "\(path): \(cause); give the folder of the .zone files")
    }

    @Test("A byte order mark is reported, and no other error")
    func byteOrderMark() {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        for marked in ["reflector.net.zone", "reflector.net.portsets", "reflector.net.streams"] {
            let texts = [ExampleZone.zone, ExampleZone.portsets, ExampleZone.streams]
            let names = ["reflector.net.zone", "reflector.net.portsets", "reflector.net.streams"]
            let compiled = ZoneCompiler.compile(
                files: zip(names, texts).map { ($0, ($0 == marked ? mark : []) + Array($1.utf8)) })
            #expect(compiled.problems.count == 1)
            #expect(
                compiled.problems.first?.description.hasPrefix("\(marked):1:1: the file begins with a UTF-8 byte order")
                    == true)
        }
    }

    @Test("At most a thousand problems are kept per file, and the rest are counted")
    func manyProblems() throws {
        let lines = (0..<100_000).map { "map s\($0 % 65_536) r\(1_000_000 + $0) nyc lon\n" }.joined()
        let compiled = ExampleZone.compile(portsets: ExampleZone.portsets + lines)
        let of = compiled.problems.filter { $0.file == "reflector.net.portsets" }
        #expect(of.count == 1_001)
        #expect(of.last?.message.hasPrefix("99000 more problems in this file are not shown") == true)
    }
}
