import IdentityKeys
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService

@Suite("A node's role in the zone")
struct RoleCheckTests {
    private func findings(
        _ name: String, _ role: NodeRole, _ region: RegionID?, listen: String, zone: [String], at address: String
    ) throws -> [String] {
        let folder = try TemporaryFolder()
        let identities = LocalIdentities(folder.path + "/identities")
        try identities.make(
            [.init(name: name, role: .set)], zone: "reflector.net", now: 1_790_000_000)
        let configuration = NodeConfiguration(
            name: name, role: role, region: region, zone: "reflector.net", servers: [],
            identity: try IdentityFolder(loading: identities.folder(of: name)))
        let host = ResolvedHost(
            name: name, endpoint: Endpoint(address: try #require(IPAddress(address)), port: 4900), priority: 0,
            weight: 1)
        return RoleCheck.findings(
            configuration, listening: [try #require(Endpoint(listen))],
            LookUpAnswer(hosts: [host], ttlSeconds: 20, text: zone))
    }

    @Test("A node that matches the zone has no findings, even if it listens on all addresses")
    func good() throws {
        for listen in ["192.0.2.1:4900", "0.0.0.0:4900", "[::]:4900"] {
            #expect(
                try findings(
                    "edge-bos", .edge, RegionID(1283), listen: listen, zone: ["role=edge region=r1283"], at: "192.0.2.1"
                ).isEmpty)
        }
    }

    @Test("A wrong command, a wrong region and a second host with the name are reported with the remedy")
    func bad() throws {
        let command = try findings(
            "edge-bos", .set, nil, listen: "192.0.2.1:4900", zone: ["role=edge region=r1283"], at: "192.0.2.1")
        #expect(command.count == 1)
        #expect(command.first?.contains("started as role=set, but the zone says") == true)
        #expect(command.first?.contains("role=edge region=r1283") == true)
        let region = try findings(
            "edge-bos", .edge, RegionID(1284), listen: "192.0.2.1:4900", zone: ["role=edge region=r1283"],
            at: "192.0.2.1")
        #expect(region.count == 1)
        let second = try findings(
            "edge-bos", .edge, RegionID(1283), listen: "192.0.2.9:4900", zone: ["role=edge region=r1283"],
            at: "192.0.2.1")
        #expect(second.count == 1)
        #expect(second.first?.contains("192.0.2.1") == true)
    }
}

@Suite("Changes of demand")
struct DemandChangesTests {
    @Test("One job takes the last change of each stream, in the order of the streams' first changes")
    func coalesces() throws {
        let a = try #require(StreamName("live/a"))
        let b = try #require(StreamName("live/b"))
        let changes = DemandChanges()
        #expect(changes.note(true, for: a))
        #expect(!changes.note(true, for: b))
        #expect(!changes.note(false, for: a))
        let taken = changes.take()
        #expect(taken.map(\.stream) == [a, b])
        #expect(taken.map(\.isWanted) == [false, true])
        #expect(changes.take().isEmpty)
        #expect(changes.note(true, for: a))
    }

    @Test("The table of changes is bounded, and never drops an end of demand")
    func bounded() throws {
        let changes = DemandChanges()
        for number in 0..<DemandChanges.countMax + 100 {
            _ = changes.note(true, for: try #require(StreamName("live/n\(number)")))
        }
        #expect(changes.dropped == 100)
        let last = try #require(StreamName("live/last"))
        _ = changes.note(false, for: last)
        #expect(changes.take().last?.stream == last)
    }
}
