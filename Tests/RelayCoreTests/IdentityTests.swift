import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Certificate and zone together")
struct IdentityTests {
    private func listing(_ name: String, _ text: String, at endpoint: Endpoint) -> LookUpResult {
        .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: name, endpoint: endpoint, priority: 0, weight: 1)], ttlSeconds: 2,
                text: [text]))
    }

    @Test(
        "A role or region that the zone contradicts is refused, and accepted once the zone agrees",
        arguments: ["role=set region=r9000", "role=edge region=r1284", "role=entrypoint"])
    func contradicted(text: String) throws {
        var tree = try #require(Tree(sets: 1))
        tree.bench.answers[.node(host: "edge")] = listing("edge", text, at: Tree.edgeEndpoint)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(2))
        #expect(tree.numbers.isEmpty)
        #expect(tree.sets[0].counters[.identitiesRefused] > 0)
        #expect(
            tree.bench.alarms.contains { alarm in
                if case .identityRefused(let conflict) = alarm { conflict.cause == .part } else { false }
            })
        #expect(
            tree.bench.alarms.contains { alarm in
                if case .refusedByPeer("set-0", .identity, _) = alarm { true } else { false }
            })
        tree.bench.answers[.node(host: "edge")] = listing("edge", "role=edge region=r1283", at: Tree.edgeEndpoint)
        tree.stream(for: .seconds(12))
        #expect(!tree.numbers.isEmpty)
    }

    @Test("A host that is not in the zone is not refused; while no name server answers, no host is refused")
    func unlisted() throws {
        var tree = try #require(Tree(sets: 1))
        tree.bench.answers[.node(host: "edge")] = .failed(.timedOut)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
        #expect(tree.sets[0].counters[.identitiesRefused] == 0)
    }

    @Test("A second node with the same name is refused while the node at the zone's address is there")
    func second() throws {
        var tree = try #require(Tree(sets: 1))
        tree.bench.answers[.node(host: "edge")] = listing("edge", "role=edge region=r1283", at: Tree.edgeEndpoint)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let sink = Bench.Sink()
        let second = tree.bench.add("edge", .edge, 130, region: RegionID(1283), sink: sink)
        second.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(3))
        #expect(sink.payloads.isEmpty)
        #expect(tree.isGapless)
        #expect(tree.numbers.count > 700)
        #expect(
            tree.bench.alarms.contains { alarm in
                if case .identityRefused(let conflict) = alarm { conflict.cause == .address } else { false }
            })
    }

    @Test("A parent whose name is not the zone's name for its address is left for the next one")
    func mistakenParent() throws {
        var tree = try #require(Tree(sets: 2))
        tree.bench.remove(tree.sets[0])
        _ = tree.bench.add("other", .set, 10)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(3))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(tree.edge.counters[.parentsMistaken] > 0)
        #expect(tree.bench.alarms.contains(.parentMistaken(expected: "set-0", Tree.setEndpoint(0))))
    }
}

@Suite("Why a stream is unavailable")
struct UnavailableReasonTests {
    @Test("A stream is not reported as absent if the name servers are silent or refuse to answer")
    func edge() throws {
        let tree = try #require(Tree(sets: 1))
        tree.bench.answers[.candidates(tree.stream)] = .failed(.serverFailure(rcode: 5))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.bench.run(for: .seconds(1))
        #expect(tree.bench.unavailable.first == .nameServersFail(.serverFailure(rcode: 5)))
        #expect(tree.bench.unavailable.allSatisfy { !$0.isAbsence })
        let status = tree.edge.status(zone: "z", endpoint: Tree.edgeEndpoint, at: tree.bench.now)
        #expect(status.unavailable?.first?.name == tree.stream.text)
        #expect(status.unavailable?.first?.reason.contains("DNS") == true)
    }

    @Test("A stream is not reported as absent if its parent's look-up fails, or the look-up of the parents' names")
    func parent() throws {
        for isOfParents in [false, true] {
            let tree = try #require(Tree(sets: 1))
            let stream = tree.stream
            tree.bench.lies = { who, name in
                if case .parents = name, isOfParents, who == Tree.edgeEndpoint { return .failed(.timedOut) }
                return !isOfParents && who == Tree.setEndpoint(0) && name == .candidates(stream)
                    ? .failed(.timedOut) : nil
            }
            tree.edge.want(tree.stream, at: tree.bench.now)
            tree.bench.run(for: .seconds(2))
            let expected: UnavailableReason = isOfParents ? .nameServersFail(.timedOut) : .parentUndecided
            #expect(tree.bench.unavailable.first == expected, "\(tree.bench.unavailable)")
        }
    }

    @Test("A stream without an encoder, and one that is not in the zone, are absent")
    func absent() throws {
        let tree = try #require(Tree(sets: 1))
        let idle = try #require(StreamName("live/idle"))
        let other = try #require(StreamName("other"))
        tree.bench.answers[.candidates(idle)] = tree.bench.answers[.candidates(tree.stream)]
        tree.edge.want(idle, at: tree.bench.now)
        tree.bench.run(for: .seconds(1))
        #expect(tree.bench.unavailable.first == .noSource)
        tree.edge.release(idle, at: tree.bench.now)
        tree.edge.want(other, at: tree.bench.now)
        tree.bench.run(for: .milliseconds(100))
        #expect(tree.bench.unavailable.last == .noSuchStream)
        #expect(UnavailableReason.noSource.isAbsence && UnavailableReason.noSuchStream.isAbsence)
    }
}
