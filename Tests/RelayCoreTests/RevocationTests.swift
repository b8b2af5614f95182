import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Certificates that end while a link is open")
struct RevocationTests {
    private static let region = RegionID(1283)

    private func running(sets: Int) throws -> Tree {
        var tree = try #require(Tree(sets: sets))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        try #require(tree.isGapless && tree.numbers.count > 100)
        return tree
    }

    /// A list that revokes the certificates of these nodes.
    private func list(
        _ nodes: [RelayNode], sequence: UInt64 = 1, key: UInt64 = Bench.operatorKey
    ) throws -> RevocationList {
        try SimulatedIdentity.revocations(
            of: nodes.map { $0.identity.own.serial }.sorted(), sequence: sequence, operatorKey: key)
    }

    private func distrusts(_ tree: Tree, _ name: String) -> Bool {
        tree.bench.alarms.contains { alarm in
            if case .peerDistrusted(name, .revoked, _) = alarm { true } else { false }
        }
    }

    @Test("A revoked child loses its link at once, gets no other, and the other children do not notice")
    func child() throws {
        var tree = try running(sets: 1)
        let set = tree.sets[0]
        let sink = Bench.Sink()
        let second = tree.bench.add("edge-2", .edge, 101, region: Self.region, sink: sink)
        second.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(set.snapshot.childLinks == 2)
        #expect(set.identity.take(try list([second])))
        set.identitiesChanged(isOwnNew: false, at: tree.bench.now)
        #expect(set.snapshot.childLinks == 1)
        #expect(set.counters[.linksDistrusted] == 1)
        tree.stream(for: .milliseconds(20))
        #expect(distrusts(tree, "edge-2"))
        let received = sink.payloads.count
        tree.stream(for: .seconds(5))
        #expect(sink.payloads.count <= received + 1)
        #expect(set.counters[.certificatesRevoked] > 0 && set.snapshot.childLinks == 1)
        #expect(
            tree.bench.alarms.contains { alarm in
                if case .refusedByPeer("set-0", .certificateRevoked, _) = alarm { true } else { false }
            })
        #expect(tree.isGapless && tree.sink.lost == 0)
    }

    @Test("A revoked parent is left at once for the next one, and no packet is lost")
    func parent() throws {
        var tree = try running(sets: 2)
        let old = try #require(tree.parent)
        let index = try #require(tree.sets.indices.first { Tree.setEndpoint($0) == old })
        #expect(tree.edge.identity.take(try list([tree.sets[index]])))
        tree.edge.identitiesChanged(isOwnNew: false, at: tree.bench.now)
        #expect(tree.edge.counters[.linksDistrusted] == 1)
        tree.stream(for: .seconds(10))
        #expect(distrusts(tree, "set-\(index)"))
        #expect(tree.parent == Tree.setEndpoint(1 - index))
        #expect(!tree.edge.core.links.parents.all.contains { $0.isAlive && $0.endpoint == old })
        #expect(tree.isGapless && tree.sink.lost == 0)
    }

    @Test("A clock that jumps, back to 1970 or years ahead, ends no open link")
    func clockJumps() throws {
        for seconds in [1_000, SimulatedIdentity.start * 3] as [UInt64] {
            for atChild in [false, true] {
                var tree = try running(sets: 1)
                let node = atChild ? tree.edge : tree.sets[0]
                node.identity.setSeconds(seconds, at: tree.bench.now)
                node.identitiesChanged(isOwnNew: false, at: tree.bench.now)
                tree.stream(for: .seconds(5))
                #expect(node.counters[.linksDistrusted] == 0)
                #expect(tree.isGapless && tree.sink.lost == 0 && tree.numbers.count > 1_000)
            }
        }
    }

    @Test("The timers find a revoked peer within two seconds, at either end, also if nobody tells the node")
    func timers() throws {
        for atChild in [false, true] {
            var tree = try running(sets: 1)
            let (checks, ends) = atChild ? (tree.edge, tree.sets[0]) : (tree.sets[0], tree.edge)
            #expect(checks.identity.take(try list([ends])))
            tree.stream(for: .seconds(2))
            #expect(checks.counters[.linksDistrusted] == 1)
            let received = tree.numbers.count
            tree.stream(for: .seconds(2))
            #expect(tree.numbers.count <= received + 1)
        }
    }

    @Test("An older list, one of a stranger, and a copy of the one in force change nothing")
    func otherLists() throws {
        var tree = try running(sets: 1)
        let set = tree.sets[0]
        #expect(set.identity.take(try list([], sequence: 5)))
        let identity = set.identity
        for one in [
            try list([tree.edge], sequence: 4), try list([tree.edge], sequence: 5),
            try list([tree.edge], sequence: 9, key: 1),
        ] { #expect(!identity.take(one)) }
        #expect(identity.revocationSequence == 5)
        set.identitiesChanged(isOwnNew: false, at: tree.bench.now)
        tree.stream(for: .seconds(3))
        #expect(set.counters[.linksDistrusted] == 0 && tree.isGapless)
    }

    @Test("A link ends when the certificate of its other end expires", arguments: [false, true])
    func expiry(isParents: Bool) throws {
        let bench = Bench()
        let sink = Bench.Sink()
        let end = SimulatedIdentity.start + 10
        let setIdentity = SimulatedIdentity(
            name: "set-0", .set, operatorKey: Bench.operatorKey, notAfter: isParents ? end : end * 2)
        let edgeIdentity = SimulatedIdentity(
            name: "edge", .edge, .edge(Self.region), operatorKey: Bench.operatorKey,
            notAfter: isParents ? end * 2 : end)
        let stream = try #require(StreamName("live/news"))
        func answer(_ name: String, _ number: UInt32) -> LookUpResult {
            .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: name, endpoint: Bench.endpoint(number), priority: 0, weight: 1)],
                    ttlSeconds: 20, serial: 1, portset: PortsetID(7)))
        }
        bench.answers[.candidates(stream)] = answer("ep", 1)
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, Self.region, PortsetID(7))] = answer("set-0", 10)
        }
        let entrypoint = bench.add("ep", .entrypoint, 1)
        let set = bench.add("set-0", .set, 10, identity: setIdentity)
        let edge = bench.add("edge", .edge, 100, region: Self.region, identity: edgeIdentity, sink: sink)
        #expect(entrypoint.provide(stream, at: bench.now))
        edge.want(stream, at: bench.now)
        func send(for span: TimeSpan) {
            for count in 0..<UInt64(span.milliseconds / 10) {
                withUnsafeBytes(of: count) { entrypoint.ingest($0, stream: stream, at: bench.now) }
                bench.run(for: .milliseconds(10))
            }
        }
        send(for: .milliseconds(9_900))
        let before = sink.payloads.count
        #expect(before > 950 && sink.lost == 0)
        #expect(edge.counters[.linksDistrusted] + set.counters[.linksDistrusted] == 0)
        send(for: .milliseconds(1_300))
        let ended = sink.payloads.count
        send(for: .seconds(5))
        #expect(sink.payloads.count <= ended + 1)
        #expect((isParents ? edge : set).counters[.linksDistrusted] >= 1)
        #expect((isParents ? edge : set).counters[.certificatesExpired] > 0)
        #expect(!edge.core.links.parents.all.contains { $0.isAlive })
        // A certificate that is valid again brings the stream back.
        let renewed = SimulatedIdentity(
            name: isParents ? "set-0" : "edge", isParents ? .set : .edge, isParents ? .none : .edge(Self.region),
            operatorKey: Bench.operatorKey, serial: 80)
        (isParents ? set : edge).replaceCertificate(renewed, at: bench.now)
        send(for: .seconds(20))
        #expect(sink.payloads.count > ended + 100)
    }

    @Test("A clock that is set forward lets in a certificate that was not valid yet; set back, it ends no link")
    func clock() throws {
        let bench = Bench()
        let set = bench.add("set-0", .set, 10)
        let start = SimulatedIdentity.start
        let early = SimulatedIdentity(
            name: "early", .edge, .edge(Self.region), operatorKey: Bench.operatorKey, notBefore: start + 100)
        let peer = HostilePeer(early, at: Bench.endpoint(66), of: set, bench)
        #expect(!peer.open())
        #expect(peer.refusal == .certificateNotYetValid && set.counters[.certificatesEarly] == 1)
        set.identity.setSeconds(start + 200, at: bench.now)
        #expect(peer.open())
        set.identity.setSeconds(start, at: bench.now)
        set.identitiesChanged(isOwnNew: false, at: bench.now)
        #expect(set.snapshot.childLinks == 1)
    }
}
