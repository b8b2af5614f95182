import DNSAnswers
import Foundation
import Testing

@testable import ZoneCompiler

@Suite("zone export against other name servers' checkers")
struct ZoneExportTests {
    private static let checkers: [(command: String, arguments: @Sendable (String, String) -> [String])] = [
        ("named-checkzone", { zone, file in ["-i", "local", zone, file] }),
        ("kzonecheck", { zone, file in ["-o", zone, file] }),
        ("nsd-checkzone", { zone, file in [zone, file] }),
    ]

    /// Runs every checker on a file.
    private func check(_ text: String) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("export-\(UUID().uuidString).db")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        for checker in Self.checkers {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments = [checker.command] + checker.arguments("reflector.net", file.path)
            process.environment = ["PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"]
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\(checker.command): \(output.suffix(2_000))")
        }
    }

    /// The example network, beside the sources of this test.
    private static let examples = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("zones").path

    @Test("The example network compiles without a warning, and every checker accepts its export")
    func exampleNetwork() throws {
        let generation = try ZoneDirectory.compile(Self.examples)
        #expect(generation.problems == [])
        let content = try #require(generation.contents.first)
        #expect(content.hosts.count == 10)
        try check(ZoneExport.text(content))
    }

    private static func network(_ map: String) throws -> ZoneContent {
        var zone = "$TTL 60\n@ SOA ns1 host 1 3600 600 604800 5\n@ NS ns1\nns1 A 192.0.2.1\nep AAAA 2001:db8::1\n"
        var portsets = "region r10000-r12999\n"
        for set in 0..<30 {
            for host in 0..<4 { zone += "h\(set)-\(host) A 10.0.\(set).\(host + 1)\n" }
            portsets += "setregion t\(set) id=r\(set) hosts=h\(set)-0,h\(set)-1,h\(set)-2,h\(set)-3 capacity=10Gbps\n"
        }
        let compiled = ZoneCompiler.compile(files: [
            ("reflector.net.zone", Array(zone.utf8)), ("reflector.net.portsets", Array((portsets + map).utf8)),
            ("reflector.net.streams", Array("stream a/* hash(0-65535) entrypoints=ep push\n".utf8)),
        ])
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        return try #require(compiled.contents.first)
    }

    @Test("3,000 regions × 65,536 portsets of a few classes export to under 200,000 records that every checker accepts")
    func largeNetwork() throws {
        var map = "map s* r* t0 t1 t2\n"
        map += "map s1000-s1999 r10000-r10999 t3 t4 t5\nmap s2000-s9999 r* t6 t7 t8 ttl=5\n"
        map += "map s30000-s40000 r11000-r11999 none\nmap s50000 r12000 t9 t10\nmap s1000-s1999 t3 t0\n"
        let content = try Self.network(map)
        var text = ""
        let records = try ZoneExport.write(content) { text += $0 }
        #expect(records < 200_000)
        print("3,000 × 65,536: \(records) records, \(text.utf8.count) bytes")
        try check(text)
    }

    @Test("A map too finely divided is refused, naming the lines that make most records")
    func refusesTooLarge() throws {
        var map = "map s* r* t0 t1 t2\n"
        for portset in 0..<2_000 { map += "map s\(portset) r\(10_000 + portset) t\(portset % 29 + 1)\n" }
        let content = try Self.network(map)
        let error = #expect(throws: AliasedZone.TooLarge.self) { try ZoneExport.write(content) { _ in } }
        #expect(error?.description.contains("reflector.net.portsets:32") == true, "\(String(describing: error))")
    }
}
