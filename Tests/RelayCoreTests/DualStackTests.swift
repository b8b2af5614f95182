import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("IPv4 and IPv6")
struct DualStackTests {
    /// An entrypoint, a set reflector and an edge, each with the given address families.
    private struct Line {
        var tree: Tree
        var set: RelayNode { tree.sets[0] }

        init?(entrypoint: [Endpoint], set: [Endpoint], edge: [Endpoint], edgeKnows: [Endpoint]? = nil) {
            guard let tree = Tree(sets: 1) else { return nil }
            self.tree = tree
            let bench = tree.bench
            func hosts(_ name: String, _ endpoints: [Endpoint]) -> LookUpResult {
                let hosts = endpoints.map { ResolvedHost(name: name, endpoint: $0, priority: 0, weight: 1) }
                return .records(LookUpAnswer(hosts: hosts, ttlSeconds: 20, serial: 1, portset: PortsetID(7)))
            }
            bench.answers[.candidates(tree.stream)] = hosts("ep", entrypoint)
            bench.answers[.parents(.first, RegionID(1283), PortsetID(7))] = hosts("set-0", edgeKnows ?? set)
            bench.setAddresses(entrypoint, of: tree.entrypoint)
            bench.setAddresses(set, of: tree.sets[0])
            bench.setAddresses(edge, of: tree.edge)
        }

        mutating func watch(for span: TimeSpan = .seconds(2)) {
            tree.edge.want(tree.stream, at: tree.bench.now)
            tree.stream(for: span)
        }
    }

    private static let ep4 = Bench.endpoint(1)
    private static let (set4, set6) = (Bench.endpoint(10), Bench.endpointV6(10))
    private static let (edge4, edge6) = (Bench.endpoint(100), Bench.endpointV6(100))

    @Test(
        "An edge fetches over the family that it has in common with its set reflector, over IPv6 if both are common",
        arguments: [
            ([set4, set6], [edge6], set6), ([set4], [edge4, edge6], set4), ([set4, set6], [edge4], set4),
            ([set6], [edge4, edge6], set6), ([set4, set6], [edge4, edge6], set6),
        ])
    func families(set: [Endpoint], edge: [Endpoint], used: Endpoint) throws {
        // The entrypoint has both families, so that the set reflector can fetch.
        var line = try #require(
            Line(entrypoint: [Self.ep4, Bench.endpointV6(1)], set: set, edge: edge))
        line.watch()
        #expect(line.tree.isGapless)
        #expect(line.tree.numbers.count > 300)
        #expect(Set(line.tree.bench.data(to: edge[0]).map(\.from)).isSubset(of: [used]))
        #expect(edge.contains { !line.tree.bench.data(to: $0).isEmpty })
        #expect(line.tree.edge.counters[.rejectedWrongAddress] == 0)
        #expect(line.set.counters[.rejectedWrongAddress] == 0)
    }

    @Test("A host with two addresses of one family replies from the address that the request went to")
    func twoOfOneFamily() throws {
        let second = Bench.endpoint(11)
        var line = try #require(
            Line(entrypoint: [Self.ep4], set: [Self.set4, second], edge: [Self.edge4], edgeKnows: [second]))
        line.watch()
        #expect(line.tree.isGapless)
        #expect(Set(line.tree.bench.data(to: Self.edge4).map(\.from)) == [second])
    }

    @Test("A host that is silent over IPv6 is reached over IPv4 within half a second, and IPv4 is remembered")
    func fallsBack() throws {
        var line = try #require(
            Line(entrypoint: [Self.ep4], set: [Self.set4, Self.set6], edge: [Self.edge4, Self.edge6]))
        line.tree.bench.loses = { $0.to == Self.set6 }
        line.watch(for: .milliseconds(600))
        #expect(line.tree.numbers.count > 10)
        #expect(line.tree.edge.counters[.otherAddressUsed] == 1)
        #expect(line.tree.bench.alarms.contains(.otherAddress(peer: "set-0", silent: Self.set6, used: Self.set4)))
        // After this link is closed, a second one starts with the family that works.
        let before = line.tree.bench.sent.count
        line.tree.edge.release(line.tree.stream, at: line.tree.bench.now)
        line.tree.bench.run(for: .seconds(60))
        line.watch(for: .milliseconds(200))
        #expect(line.tree.numbers.count > 50)
        let hellos = line.tree.bench.sent[before...].filter { $0.type == 0x10 && $0.from == Self.edge6 }
        #expect(hellos.isEmpty)
    }

    @Test("If a path over IPv6 dies in use, IPv4 replaces it, even with a single parent")
    func diesInUse() throws {
        var line = try #require(
            Line(entrypoint: [Self.ep4], set: [Self.set4, Self.set6], edge: [Self.edge4, Self.edge6]))
        line.watch(for: .seconds(1))
        #expect(line.tree.parent == Self.set6)
        line.tree.bench.loses = { $0.to == Self.set6 || $0.from == Self.set6 }
        let before = line.tree.numbers.count
        line.tree.stream(for: .seconds(1))
        #expect(line.tree.numbers.count > before + 100)
        #expect(!line.tree.bench.data(to: Self.edge4).isEmpty)
        #expect(line.tree.sink.lost == 0)
    }

    @Test("Without a common family, the log and the viewers get the reason")
    func noneInCommon() throws {
        var line = try #require(Line(entrypoint: [Self.ep4], set: [Self.set4], edge: [Self.edge6]))
        line.watch(for: .milliseconds(200))
        let name = ReflectorName.parents(.first, RegionID(1283), PortsetID(7))
        #expect(
            line.tree.bench.alarms.contains(
                .noCommonFamily(name, hosts: ["set-0"], own: [Self.edge6.address])))
        #expect(line.tree.edge.counters[.hostsOfOtherFamily] == 1)
        // The edge sends no datagram that could not arrive.
        #expect(!line.tree.bench.sent.contains { $0.to == Self.set4 && $0.from == Self.edge6 })
    }

    @Test("An address of the missing family is used if it is added later")
    func addressComesLater() throws {
        var line = try #require(Line(entrypoint: [Self.ep4], set: [Self.set4], edge: [Self.edge6]))
        line.watch(for: .milliseconds(200))
        line.tree.bench.setAddresses([Self.edge6, Self.edge4], of: line.tree.edge)
        line.tree.stream(for: .seconds(3))
        #expect(line.tree.numbers.count > 100)
    }

    @Test("Addresses are tried in the order of RFC 6724, and link-local ones are never tried")
    func order() throws {
        func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }
        func sorted(_ own: [String], _ others: [String]) throws -> [String] {
            let order = AddressOrder(own: try own.map(address))
            let endpoints = try others.map { Endpoint(address: try address($0), port: 1) }
            return order.sorted(endpoints).map { "\($0.address)" }
        }
        #expect(
            try sorted(["192.0.2.1", "2001:db8::1"], ["192.0.2.9", "2001:db8::9"]) == ["2001:db8::9", "192.0.2.9"])
        // Rule 6: unique local addresses come after IPv4, unless the host itself has such an address (rule 5).
        #expect(try sorted(["192.0.2.1", "2001:db8::1"], ["192.0.2.9", "fd00::9"]) == ["192.0.2.9", "fd00::9"])
        #expect(
            try sorted(["192.0.2.1", "fd00::1"], ["192.0.2.9", "2001:db8::9", "fd00::9"])
                == ["192.0.2.9", "fd00::9", "2001:db8::9"])
        #expect(try sorted(["::"], ["192.0.2.9", "fe80::1", "2002:c000:209::1"]) == ["2002:c000:209::1"])
        #expect(try sorted(["0.0.0.0"], ["2001:db8::9", "192.0.2.9"]) == ["192.0.2.9"])
        // A mapped address is IPv4.
        #expect(try sorted(["192.0.2.1"], ["::ffff:192.0.2.9"]) == ["192.0.2.9"])
    }
}
