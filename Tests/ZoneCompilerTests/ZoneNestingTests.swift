import DNSAnswers
import Testing

@testable import ZoneCompiler

@Suite("Nested zones, oversized RRsets, reserved names")
struct ZoneNestingTests {
    private static let head = "$TTL 60\n@ SOA ns1 host 1 2 3 4 5\n@ NS ns1\nns1 A 127.0.0.1\n"

    private func problems(_ files: [(String, String)]) -> [String] {
        ZoneCompiler.compile(files: files.map { ($0.0, Array($0.1.utf8)) }).problems.map(\.description)
    }

    @Test(
        "A zone that would hide names of the map is refused",
        arguments: ["s7", "r5", "sets", "streams", "maps", "parents", "explain", "_status", "x.s7"])
    func hidesMap(_ label: String) {
        let found = problems([("reflector.net.zone", Self.head), ("\(label).reflector.net.zone", Self.head)])
        #expect(found.count == 1 && found[0].hasPrefix("\(label).reflector.net.zone:1:1: a zone below '"), "\(found)")
    }

    @Test("A zone gets a warning for each host or record of its parent that it hides, except its delegation and glue")
    func hidesHosts() {
        let child = ("lab.reflector.net.zone", Self.head)
        let hidden = Self.head + "nyc-1.lab A 127.0.0.2\nlab NS ns1.lab\nns1.lab A 127.0.0.3\nx.lab TXT x\n"
        let found = problems([
            child, ("reflector.net.zone", hidden), ("reflector.net.portsets", "setregion nyc hosts=nyc-1.lab\n"),
        ])
        #expect(found.contains { $0.contains(":5:1: warning: host nyc-1.lab.reflector.net is hidden by the zone in") })
        #expect(found.contains { $0.contains(":8:1: warning: record of x.lab.reflector.net is hidden by the zone in") })
        let apart = Self.head + "lab NS ns1.lab\nns1.lab A 127.0.0.3\n"
        #expect(problems([child, ("reflector.net.zone", apart)]) == [])
        #expect(
            problems([child, ("reflector.net.zone", Self.head)]).first?.contains("does not delegate lab.reflector.net")
                == true)
    }

    @Test("The name of a zone may contain underscores", arguments: ["_msdcs.reflector.net", "_tcp.a", "dept_a.a"])
    func underscore(_ zone: String) {
        #expect(problems([("\(zone).zone", Self.head)]) == [])
    }

    @Test("An RRset that fits into no message is refused; one of over 100 records gets a warning, as BIND refuses it")
    func largeSets() {
        let long = String(repeating: "x", count: 250)
        let large = (0..<250).map { "big TXT \"\($0)\(long)\"\n" }.joined()
        let found = problems([("a.zone", Self.head + large)])
        #expect(found.count == 1 && found[0].hasPrefix("a.zone:5:1: TXT of big.a: 250 records are 6"), "\(found)")
        let many = (0..<101).map { "many A 10.0.0.\($0)\n" }.joined()
        let warned = problems([("a.zone", Self.head + many)])
        #expect(warned.count == 1 && warned[0].hasPrefix("a.zone:5:1: warning: A of many.a: 101 records"), "\(warned)")
        #expect(problems([("a.zone", Self.head + many.replacing("many A 10.0.0.100\n", with: ""))]) == [])
    }

    @Test("More than a hundred root set reflectors get a warning, at their first set region")
    func manyRoots() {
        var zone = Self.head
        var portsets = "region r1\n"
        for set in 0..<4 {
            let hosts = (0..<26).map { "h\(set)-\($0)" }
            for (number, host) in hosts.enumerated() { zone += "\(host) A 10.0.\(set).\(number)\n" }
            portsets += "setregion t\(set) hosts=\(hosts.joined(separator: ","))\n"
        }
        portsets += "map s* r* t0 t1 t2\nmap s1 r1 t3\nmap s2-s9 r1 t3 t1 t2\n"
        let found = problems([("a.zone", zone), ("a.portsets", portsets)])
        #expect(!found.contains { $0.contains("max-records-per-type") }, "\(found)")
        let all = portsets + "region r2\nmap s1 r2 t0 t1 t2\n"
        let warned = problems([("a.zone", zone), ("a.portsets", all)]).filter { $0.contains("max-records-per-type 0") }
        #expect(warned.count == 2 && warned[0].hasPrefix("a.portsets:2:1: warning: A of sets.s1: 104"), "\(warned)")
    }

    @Test(
        "In the aliased form explain and _status exist next to a wildcard at the apex, so that it does not match them")
    func wildcard() throws {
        let zone = ZoneCompiler.compile(files: [("a.zone", Array((Self.head + "* A 10.0.0.1\n").utf8))])
        let text = try ZoneExport.text(try #require(zone.contents.first))
        #expect(text.contains("\nexplain\t20\tIN\tTXT\t") && text.contains("\n_status\t20\tIN\tTXT\t"), "\(text)")
        let none = ZoneCompiler.compile(files: [("a.zone", Array(Self.head.utf8))])
        #expect(try !ZoneExport.text(try #require(none.contents.first)).contains("explain"))
    }
}
