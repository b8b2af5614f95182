import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

/// A tree whose stream is hot: its second candidate, `ep-2`, has a valid certificate and does what the test says.
private struct HotTree {
    var tree: Tree
    let announcer: HostilePeer
    let parent: HostilePeer
    private var version: UInt64 = 0
    private var linkNumber: UInt32 = 0
    private var isAnswered = false
    let incarnation = Incarnation(high: 5, low: 6)
    private static let place = Bench.endpoint(2)

    init() throws {
        tree = try #require(Tree(sets: 1))
        let hosts = [("ep", Tree.entrypointEndpoint), ("ep-2", Self.place)].enumerated().map { rank, host in
            ResolvedHost(name: host.0, endpoint: host.1, priority: UInt16(rank), weight: 1)
        }
        tree.bench.answers[.candidates(tree.stream)] = .records(
            LookUpAnswer(
                hosts: hosts, ttlSeconds: 20, text: ["ingest=push", "standby=hot"], serial: 1, portset: PortsetID(7)))
        tree.bench.answers[.announceTargets(host: "ep")] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "set-0", endpoint: Tree.setEndpoint(0), priority: 0, weight: 1)],
                ttlSeconds: 20))
        announcer = HostilePeer("ep-2", .entrypoint, at: Self.place, of: tree.sets[0], tree.bench, seed: 21)
        parent = HostilePeer("ep-2", .entrypoint, at: Self.place, of: tree.sets[0], tree.bench, seed: 22)
        tree.stream(for: .milliseconds(500))
        tree.edge.want(tree.stream, at: tree.bench.now)
        // Until the preburst is over.
        tree.stream(for: .seconds(2))
        try #require(announcer.open())
    }

    var set: RelayNode { tree.sets[0] }

    /// Runs for a while. After each packet of the encoder, `ep-2` sends these packets.
    mutating func run(for span: TimeSpan, _ packets: (_ count: UInt64) -> [(sequence: UInt64, payload: UInt64)]) {
        for step in 0..<span.milliseconds / 5 {
            if step % 100 == 0 { announce() }
            tree.stream(for: .milliseconds(5))
            parent.answer()
            if !isAnswered, parent.isOpen, let request = parent.subscribed {
                reply(to: request)
                isAnswered = true
            }
            guard isAnswered else { continue }
            for (sequence, payload) in packets(tree.count) {
                linkNumber += 1
                parent.sendData(
                    tree.stream, source: parent.node, incarnation: incarnation, sequence: sequence,
                    linkNumber: linkNumber, payload: payload)
            }
        }
    }

    private mutating func announce() {
        announcer.renew()
        version += 1
        announcer.send(
            .announce(
                Announce(
                    PageHeader(version: version),
                    entries: [
                        Announce.Entry(
                            stream: tree.stream, portset: PortsetID(7), incarnation: incarnation, supply: .live)
                    ])))
    }

    private func reply(to request: Subscribe) {
        var reply = SubscribeReply(subscription: request.subscription, status: .ok)
        (reply.source, reply.incarnation) = (parent.node, incarnation)
        (reply.oldest, reply.highest) = (SequenceNumber(1), SequenceNumber(1))
        parent.send(.subscribeReply(reply))
    }

    /// Lets `ep-2` send what the encoder sent 50 ms before, under numbers that are 1,000 higher.
    mutating func merge() {
        run(for: .seconds(2)) { [($0 - 10 + 1_000, $0 - 10)] }
    }

    /// Expects that the edge delivered exactly what the encoder sent.
    func expectUnharmed(_ location: SourceLocation = #_sourceLocation) {
        #expect(tree.isGapless && tree.sink.lost == 0, sourceLocation: location)
        #expect((tree.numbers.last ?? 0) + 20 > tree.count, sourceLocation: location)
        #expect(set.snapshot.gaps == 0, sourceLocation: location)
    }
}

@Suite("A hostile entrypoint of a hot stream")
struct HostileTwinTests {
    @Test("is merged as long as it behaves")
    func honest() throws {
        var hot = try HotTree()
        hot.merge()
        #expect(hot.set.counters[.twinsMerged] == 1)
        #expect(hot.set.counters[.twinPacketsAgreed] > 100)
        hot.expectUnharmed()
    }

    @Test("that sends garbage is left out after 5 s")
    func garbage() throws {
        var hot = try HotTree()
        hot.run(for: .seconds(7)) { [($0, FixedHash.mix($0))] }
        #expect(hot.set.counters[.twinsMerged] == 0)
        #expect(hot.set.counters[.twinsDifferent] == 1)
        #expect(hot.set.snapshot.paths.map(\.parent) == [Tree.entrypointEndpoint])
        hot.expectUnharmed()
    }

    @Test("that repeats one payload is never merged")
    func repeats() throws {
        var hot = try HotTree()
        hot.run(for: .seconds(7)) { [($0, UInt64(7))] }
        #expect(hot.set.counters[.twinsMerged] == 0)
        hot.expectUnharmed()
    }

    @Test(
        "whose numbers jump once it is merged brings nothing",
        arguments: [WireLimits.sequenceMax, WireLimits.sequenceMax - 1_000, 1_099_511_627_776, 20_000])
    func jumps(sequence: UInt64) throws {
        var hot = try HotTree()
        hot.merge()
        let work = hot.set.work
        var isSent = false
        hot.run(for: .seconds(2)) { _ in
            defer { isSent = true }
            return isSent ? [] : [(sequence: sequence, payload: UInt64(1))]
        }
        #expect(hot.set.counters[.twinMismatches] == 1)
        #expect(hot.set.counters[.twinPacketsFilled] == 0)
        #expect(hot.set.work - work < 20_000)
        hot.expectUnharmed()
    }

    @Test("that changes payloads once it is merged must prove itself again, and is left out after the fourth time")
    func changes() throws {
        var hot = try HotTree()
        hot.merge()
        var sent: UInt64 = 0
        hot.run(for: .seconds(12)) { count in
            sent += 1
            return [(sequence: count - 10 + 1_000, payload: sent % 290 == 0 ? UInt64(1) : count - 10)]
        }
        #expect(hot.set.counters[.twinMismatches] == 4)
        #expect(hot.set.counters[.twinsMerged] == 4)
        #expect(hot.set.counters[.twinsDifferent] == 1)
        hot.expectUnharmed()
    }

    @Test(
        "that promises numbers in heartbeats causes no gaps",
        arguments: [WireLimits.sequenceMax, 1_099_511_627_776, 40_000])
    func promises(highest: UInt64) throws {
        var hot = try HotTree()
        hot.merge()
        let request = try #require(hot.parent.subscribed)
        for _ in 0..<100 {
            hot.parent.send(
                .linkHeartbeat(
                    LinkHeartbeat(
                        nextLinkNumber: 1, leaseNonce: 1, timestamp: 1, echoedTimestamp: 0, echoDelayMicroseconds: 0,
                        digestMismatch: false,
                        entries: [
                            .init(
                                subscription: request.subscription, highest: SequenceNumber(highest),
                                upstreamSilentMilliseconds: 0)
                        ])))
            hot.run(for: .milliseconds(10)) { [($0 - 10 + 1_000, $0 - 10)] }
        }
        #expect(hot.set.counters[.nakNumbersAsked] == 0)
        hot.expectUnharmed()
    }
}
