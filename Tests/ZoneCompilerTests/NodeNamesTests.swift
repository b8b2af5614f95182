import DNSAnswers
import LDNSKit
import ReflectorModel
import Testing

@testable import ZoneCompiler

@Suite("The host roles in a zone")
struct NodeNamesTests {
    private func content() throws -> ZoneContent {
        let compiled = ZoneCompiler.compile(files: [
            (
                "reflector.net.zone",
                Array(
                    """
                    $TTL 60
                    @ SOA ns1 host 1 3600 600 604800 5
                    @ NS ns1
                    ns1 A 192.0.2.1
                    ep A 192.0.2.2
                    nyc-1 A 192.0.2.3
                    nyc-2 A 192.0.2.4
                    edge-1 A 192.0.2.5

                    """.utf8)
            ),
            (
                "reflector.net.portsets",
                Array(
                    """
                    setregion nyc id=r9001 hosts=nyc-1:4901,nyc-2
                    region r1283 hosts=edge-1
                    map s* r* nyc

                    """.utf8)
            ),
            ("reflector.net.streams", Array("stream live/* hash(0-9) entrypoints=ep push\n".utf8)),
        ])
        #expect(!compiled.hasErrors, "\(compiled.errors)")
        return try #require(compiled.contents.first)
    }

    @Test("Each host has its roles and its port, in order of the lines; other hosts have no such name")
    func parts() throws {
        let content = try content()
        let told = content.nodeEntries.map { entry in
            "\(content.hosts[entry.host].name):\(entry.port) \(entry.parts.map(\.description).joined(separator: ", "))"
        }
        #expect(
            told == [
                "nyc-1:4901 role=set region=r9001",
                "nyc-2:4900 role=set region=r9001", "edge-1:4900 role=edge region=r1283",
                "ep:4900 role=entrypoint",
            ])
    }

    @Test("The aliased form has the same names, each with SRV and TXT")
    func exported() throws {
        let zone = try AliasedZone(try content())
        let nodes = IteratorSequence(zone.records).filter { $0.sortKey.section == .nodes }
        #expect(nodes.map(\.type).sorted() == [16, 16, 16, 16, 33, 33, 33, 33])
        #expect(nodes.allSatisfy { WireName.relative($0.owner, to: zone.zoneName)?.hasSuffix(".nodes") == true })
    }

    @Test("A zone file may not define a host with a reserved name")
    func reserved() {
        let compiled = ZoneCompiler.compile(files: [
            (
                "a.example.zone",
                Array("@ 60 SOA n h 1 2 3 4 5\n@ 60 NS n\nn 60 A 192.0.2.1\nx.nodes 60 A 192.0.2.1\n".utf8)
            )
        ])
        #expect(compiled.hasErrors)
    }

    @Test("A host may claim only the roles in the zone")
    func allows() throws {
        func listing(_ text: [String]) -> NodeListing {
            NodeListing(LookUpAnswer(hosts: [], ttlSeconds: 1, text: text))
        }
        let edge = listing(["role=edge region=r1283", "role=entrypoint"])
        #expect(edge.allows(role: .edge, region: RegionID(1283)))
        #expect(edge.allows(role: .entrypoint, region: nil))
        #expect(!edge.allows(role: .edge, region: RegionID(1284)))
        #expect(!edge.allows(role: .edge, region: nil))
        #expect(!edge.allows(role: .set, region: nil))
        let set = listing(["role=set region=r9001"])
        #expect(set.allows(role: .set, region: nil))
        #expect(!set.allows(role: .set, region: RegionID(9002)))
        #expect(listing([]).allows(role: .set, region: nil))
        #expect(listing(["something else"]).allows(role: .edge, region: nil))
    }
}
