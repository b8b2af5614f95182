import DNSAnswers
import Foundation
import TestSupport
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
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let file = folder.url.appendingPathComponent("export.db")
        try Data(text.utf8).write(to: file)
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

    /// The example network: the `zones` folder of the repository.
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

    @Test(
        "Whatever names and strings contain, every checker accepts the export, and BIND reads the same records from it")
    func escapes() throws {
        let lines = [
            "a\\\"b A 192.0.2.1", "\\\" A 192.0.2.1", "c CNAME a\\\"b", "d PTR a\\\"b", "e MX 10 a\\\"b.example.",
            "f RP \\\". .", "\\$x A 192.0.2.2", "\\$origin A 192.0.2.2", "\\@ A 192.0.2.3", "a\\;b A 192.0.2.4",
            "a\\(b A 192.0.2.5", "a\\)b A 192.0.2.5", "a\\.b A 192.0.2.6", "a\\032b A 192.0.2.7", "a\\000b A 192.0.2.8",
            "a\\\\b A 192.0.2.9", "a\\255b A 192.0.2.9", "g TXT \"$ORIGIN \\\" \\\\ ;\" \"\\000\\010\\255\"",
            "h CAA 0 issue \"a;\\\" b\"", "i SVCB 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1 key667=a",
            "j SVCB 1 \\$ alpn=a\\\\,b",
            "k LOC 52 14 05.123 S 0 8 30 W -1.50m 0m 100m 20m", "l APL !1:192.0.2.64/28 2:2001:db8::/32",
            "m URI 1 2 \"a\\\"b\"", "n NAPTR 1 2 \"s\" \"\" \"!^.*$!sip:a@b!\" .", "o TYPE65280 \\# 3 010203",
            "p HINFO \"a b\" c", "q NID 1 14:4fff:ff20:ee64", "r EUI48 00-00-5e-00-53-2a", "t SSHFP 1 1 \(hex(20))",
            "u DS 1 13 2 \(hex(32))", "u NS \\$.u", "\\$.u A 192.0.2.9", "v TLSA 3 1 1 \(hex(32))",
            "w CERT PGP 1 0 AQID",
            "x HIP 2 200100107b1a74df365639cc39f1d578 AQID a", "y IPSECKEY 10 3 2 \\$ AQID", "z AAAA ::ffff:192.0.2.1",
            "a1 DHCID AQID", "b1 CSYNC 1 3 A NS", "d1 NSEC3PARAM 1 0 1 aabb", "e1 ZONEMD 1 1 240 \(hex(12))",
            "f1 PX 1 a b",
        ]
        let text =
            "$TTL 60\n@ SOA ns1 host 1 3600 600 604800 5\n@ NS ns1\nns1 A 192.0.2.1\n"
            + lines.joined(separator: "\n") + "\n"
        let compiled = ZoneCompiler.compile(files: [("reflector.net.zone", Array(text.utf8))])
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        let exported = try ZoneExport.text(try #require(compiled.contents.first))
        try check(exported)
        let directory = try TemporaryFolder()
        defer { directory.remove() }
        let dump = CheckerRun(
            command: "named-compilezone",
            arguments: [
                "-q", "-k", "ignore", "-n", "ignore", "-m", "ignore", "-r", "ignore", "-S", "ignore", "-i", "none",
            ]
                + ["-s", "full", "-o", "-", "reflector.net"], before: "", behind: ":")
        let before = try dump.run(text, directory).output
        #expect(before == (try dump.run(exported, directory).output))
        #expect(before.split(separator: "\n").count > lines.count)
    }

    private func hex(_ count: Int) -> String { String(repeating: "a1", count: count) }

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

    @Test("A map with too many divisions is refused, naming the lines that make most records")
    func refusesTooLarge() throws {
        var map = "map s* r* t0 t1 t2\n"
        for portset in 0..<2_000 { map += "map s\(portset) r\(10_000 + portset) t\(portset % 29 + 1)\n" }
        let content = try Self.network(map)
        let error = #expect(throws: AliasedZone.TooLarge.self) { try ZoneExport.write(content) { _ in } }
        #expect(error?.description.contains("reflector.net.portsets:32") == true, "\(String(describing: error))")
    }
}
