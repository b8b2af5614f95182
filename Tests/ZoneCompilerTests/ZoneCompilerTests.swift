import DNSAnswers
import ReflectorModel
import Testing

@testable import ZoneCompiler

@Suite("Zone compiler")
struct ZoneCompilerTests {
    @Test("The whole grammar of the three files compiles without a problem")
    func compilesWholeGrammar() throws {
        let compiled = ExampleZone.compile()
        #expect(compiled.problems.map(\.description) == [])
        let content = try #require(compiled.contents.first)
        #expect(content.zone == "reflector.net")
        #expect(content.serial == 7)
        #expect(content.setRegions.map(\.name) == ["nyc", "lon", "sjc"])
        #expect(content.setRegions[0].members.map(\.port) == [4900, 4901])
        #expect(content.setRegions[0].capacity == 10_000_000_000)
        #expect(content.rules.map(\.ttl) == [20, 20, 5, 20])
        #expect(content.rules[3].regions == .setRegion(2))
        #expect(content.rules[2].source == .init(file: "reflector.net.portsets", line: 9))
        #expect(content.streams[1].ingest == .pull(url: "http://encoder.example/sport.ts"))
        #expect(content.streams[2].isPattern)
        #expect(content.streams[2].portset == .hashed(0...4095))
        let sjc = try #require(content.hosts.first { $0.name == "sjc-1" })
        #expect(sjc.addresses.map(\.description) == ["127.0.2.5", "2001:db8::5"])
        #expect(content.edgeRegions[0].hosts.map { content.hosts[$0].name } == ["edge-bos"])
    }

    @Test("All mistakes of a folder are reported with file, line and column")
    func namesEveryMistake() {
        let zone = """
            $TTL 60
            @ SOA ns1 hostmaster 1 2 3 4 5
            @ NS ns1
            @ NS ns2
            ns1 A 127.0.0.300
            www.example.com. A 127.0.0.1
            s4096 A 127.0.0.1
            alias CNAME ns1
            alias TXT "beside"
            nyc-1 A 127.0.2.1
            nyc-1 120 A 127.0.2.2
            $INCLUDE other.zone
            tv CH A 127.0.0.1

            """
        let portsets = """
            setregion nyc hosts=nyc-1 colour=red
            setregion lon id=r5 hosts=nyc-2
            region r5-r9 name=x
            map s70000 r* nyc
            map s* r77 nyc
            map s* r* paris
            map s9-s5 r6 nyc
            """
        let streams = """
            stream live/News s1 entrypoints=nyc-1 push
            stream live/news s1 entrypoints=ghost push
            stream live/tv s1 push
            stream live/x s1 entrypoints=ep-1 pull=ftp://x key=abc

            """
        let compiled = ExampleZone.compile(zone: zone, portsets: portsets, streams: streams)
        #expect(compiled.contents.isEmpty)
        let places = compiled.errors.map { "\($0.file.split(separator: ".").last ?? ""):\($0.line):\($0.column)" }
        #expect(
            places == [
                "portsets:1:27", "portsets:2:27", "portsets:3:8", "portsets:4:5", "portsets:5:8", "portsets:6:11",
                "portsets:7:5", "portsets:7:17", "streams:1:8", "streams:1:33", "streams:2:33", "streams:3:23",
                "streams:4:30", "streams:4:40", "streams:4:48", "zone:4:6", "zone:5:7", "zone:6:1", "zone:7:1",
                "zone:8:1", "zone:11:1", "zone:12:1", "zone:13:4",
            ], "\(compiled.problems)")
        #expect(compiled.problems == compiled.problems.sorted())
    }

    @Test(
        "Each mistake in the portsets file is reported at its position",
        arguments: [
            ("map s* r* none nyc", 11, "'none' stands alone"),
            ("map s* r* nyc lon sjc nyc", 23, "more than three"),
            ("map s* r9001 nyc", 8, "'r9001' is set region 'nyc'"),
            ("map s* r01283 nyc", 8, "without leading zeros"),
            ("map s* r*", 10, "cut short"),
            ("map s* r* nyc ttl=-1", 19, "not a valid TTL"),
            ("map s* r* nyc ttl=1 ttl=2", 21, "twice"),
            ("region r1290", 8, "overlaps 'r1284-r1299'"),
            ("region r1 name=boston", 16, "taken by line 5"),
            ("region r2-r3 hosts=ep-bos", 20, "line of its own"),
            ("setregion nyc hosts=ep-bos", 11, "declared twice"),
            ("setregion par hosts=nyc-1", 21, "already in set region 'nyc'"),
            ("setregion par hosts=ep-bos capacity=10Gb", 37, "not a capacity"),
            ("setregion r5 hosts=ep-bos", 11, "means something else"),
            ("setregion par", 14, "without hosts"),
            ("setregion par hosts=ep-bos:0", 28, "not a valid port"),
            ("default ttl=1", 1, "second 'default'"),
            ("colour s1", 1, "unknown line"),
            ("map s1-s2 nyc sjc", 1, "cycle"),
        ])
    func findsMistake(_ line: String, _ column: Int, _ words: String) {
        let compiled = ExampleZone.compile(portsets: ExampleZone.portsets + line + "\n")
        let found = compiled.errors.filter { $0.line == 11 || $0.message.contains("cycle") }
        #expect(
            found.contains { $0.column == column && $0.message.contains(words) }, "\(compiled.problems)")
    }

    @Test("A cycle among set regions is an error only for the portsets where it is closed")
    func findsCircles() {
        let apart = ExampleZone.compile(portsets: ExampleZone.portsets + "map s100-s200 nyc sjc\n")
        #expect(!apart.hasErrors, "\(apart.problems)")
        let closed = ExampleZone.compile(portsets: ExampleZone.portsets + "map s99-s200 nyc lon\nmap s99 lon sjc\n")
        #expect(closed.errors.count == 1)
        #expect(closed.errors.first?.message.contains("for s99: ") == true, "\(closed.problems)")
        let mended = ExampleZone.compile(
            portsets: ExampleZone.portsets + "map s99-s200 nyc lon\nmap s99 lon sjc\nmap s99 sjc none\n")
        #expect(!mended.hasErrors, "\(mended.problems)")
    }

    @Test("Warnings: lines that never win, lines partly covered by a wider one, parents that fail together")
    func warnsOfOrder() {
        func warnings(_ more: String) -> [String] {
            ExampleZone.compile(portsets: ExampleZone.portsets + more).problems.map {
                "\($0.line): \($0.severity.rawValue) \($0.message.prefix(24))"
            }
        }
        #expect(warnings("") == [])
        #expect(warnings("map s4096 r* nyc\n") == ["9: warning this line never matches:"])
        #expect(warnings("map s4000-s5000 r1283 nyc\n") == ["9: warning this line never matches:"])
        // Two lines together cover the third.
        #expect(
            warnings("map s7 r1283 sjc\nmap s7 r1284 sjc\nmap s5-s7 r1283 nyc\nmap s7-s9 r1284 nyc\n").map {
                $0.prefix(3)
            }
                == ["11:", "12:"])
        #expect(
            warnings("map s5-s9 r1283 sjc\nmap s9-s90 r1283 nyc\n") == ["11: warning line 12 below covers par"])
        #expect(warnings("map s5-s9 r1283 sjc sjc\n") == ["11: warning n1 and n2 are the same s"])
    }

    @Test(
        "Errors: no final newline, a lone sidecar, two files that differ only in case; editor files are ignored")
    func filesOfADirectory() {
        let cut = ExampleZone.compile(portsets: String(ExampleZone.portsets.dropLast()))
        #expect(cut.errors.map { "\($0.line) \($0.message.prefix(10))" } == ["10 no newline"])
        let lone = ZoneCompiler.compile(files: [("a.example.portsets", [])])
        #expect(lone.errors.map(\.message) == ["no a.example.zone beside it; add that file, or remove this one"])
        let junk = [".x.zone.swp", "x.zone~", "#x.zone#", ".#x.zone", "4913"].map {
            (name: $0, bytes: [UInt8](repeating: 0, count: 9))
        }
        let good = (name: "reflector.net.zone", bytes: Array(ExampleZone.zone.utf8))
        #expect(ZoneCompiler.compile(files: junk + [good]).problems == [])
        #expect(ZoneCompiler.compile(files: [good, ("README.md", [])]).problems.map(\.severity) == [.warning])
        #expect(ZoneCompiler.compile(files: []).hasErrors)
    }

    @Test("A key or a password in a sidecar is refused, and never printed")
    func refusesSecrets() {
        let compiled = ExampleZone.compile(
            streams: """
                stream a s1 entrypoints=ep-bos push key=hunter2
                stream b s1 entrypoints=ep-bos pull=http://user:hunter2@h/x

                """)
        #expect(compiled.errors.count == 2)
        #expect(!"\(compiled.problems)".contains("hunter2"))
    }
}

@Suite("Address families of neighbours")
struct FamilyCheckTests {
    private func warnings(_ changes: [(String, String)], portsets: String = ExampleZone.portsets) -> [String] {
        let zone = changes.reduce(ExampleZone.zone) { $0.replacing($1.0, with: $1.1) }
        let compiled = ExampleZone.compile(zone: zone, portsets: portsets)
        #expect(!compiled.hasErrors, "\(compiled.problems)")
        return compiled.problems.map { "\($0.file.split(separator: ".").last ?? ""):\($0.line): \($0.message)" }
    }

    @Test("An edge without a common family with its parents is reported at the map line that wins for it")
    func edge() {
        #expect(warnings([]) == [])
        let edge = warnings([("edge-bos A 127.0.3.1", "edge-bos AAAA 2001:db8::e")])
        // Only sjc has IPv6, and it is a parent for s* as well as for s4096 of r1283.
        #expect(edge.count == 0, "sjc has both: \(edge)")
        let both = [
            ("edge-bos A 127.0.3.1", "edge-bos AAAA 2001:db8::e"), ("      AAAA 2001:db8::5", "      A 127.0.2.6"),
        ]
        let none = warnings(both)
        #expect(none.count == 3, "\(none)")
        #expect(none.allSatisfy { $0.contains("edge-bos has IPv6 addresses only and its parents here") })
        #expect(warnings(both + [("lon-1 A 127.0.2.3", "lon-1 AAAA 2001:db8::3")]).count == 0)
    }

    @Test("Link-local addresses do not count")
    func linkLocal() {
        let found = warnings([
            ("edge-bos A 127.0.3.1", "edge-bos AAAA 2001:db8::e"), ("2001:db8::5", "fe80::5"),
        ])
        #expect(found.count == 3, "\(found)")
    }

    @Test("An entrypoint and a set reflector with parents are checked too")
    func others() {
        let entrypoint = warnings([
            ("ep-bos A 127.0.1.1", "ep-bos AAAA 2001:db8::b"), ("AAAA 2001:db8::5", "A 127.0.2.6"),
        ])
        #expect(entrypoint.count == 1 && entrypoint[0].contains("no node can fetch from it"), "\(entrypoint)")
        let set = warnings([("sjc-1 A 127.0.2.5", "sjc-1 AAAA 2001:db8::6")])
        #expect(set.count == 1 && set[0].contains("sjc-1 has IPv6 addresses only"), "\(set)")
    }
}
