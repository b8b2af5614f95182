import Foundation
import ReflectorModel
import RelayWire
import Testing

@testable import ReflectorSimulation
@testable import RelayCore

/// A peer with a valid certificate sends every control message, and data, on open links. Many numbers are at the ends
/// of their ranges or near those that the node holds. No message may cost much work, and at the end the node must still
/// serve.
///
/// `KEYED_FUZZ_MESSAGES` sets the number of messages, `KEYED_FUZZ_SEED` the first seed.
@Suite("Fuzzing by a peer with a valid certificate")
struct KeyedFuzzTests {
    private static func environment(_ name: String, or value: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment[name].flatMap { UInt64($0) } ?? value
    }

    private static let messages = environment("KEYED_FUZZ_MESSAGES", or: 200_000)
    private static let seed = environment("KEYED_FUZZ_SEED", or: 4_711)

    /// The maximum number of loop iterations for one message, and on average: both far below a noticeable delay.
    private static let workMax: UInt64 = 300_000
    private static let workMean: UInt64 = 3_000

    /// Sends messages to a node and sums up its work.
    private struct Meter {
        var count: UInt64 = 0
        var total: UInt64 = 0
        var most: UInt64 = 0

        mutating func measure(_ node: RelayNode, _ send: () -> Void) {
            let before = node.work
            send()
            count += 1
            total += node.work - before
            most = max(most, node.work - before)
        }

        func expectBounded(_ what: String) {
            #expect(most <= KeyedFuzzTests.workMax, "\(what): \(most) for one message")
            #expect(total <= KeyedFuzzTests.workMean * max(count, 1), "\(what): \(total) for \(count)")
            print("\(what): \(count) messages, work at most \(most), \(total / max(count, 1)) on average")
        }
    }

    @Test(
        "Children of an entrypoint, a set reflector and an edge send anything; other streams continue without a gap"
    )
    func children() throws {
        var tree = try #require(Tree(sets: 1))
        let bench = tree.bench
        tree.edge.want(tree.stream, at: bench.now)
        tree.stream(for: .seconds(1))
        var messages = HostileMessages(seed: Self.seed, streams: [tree.stream] + Self.names)
        let targets = [tree.entrypoint, tree.sets[0], tree.sets[0], tree.edge]
        let roles = [NodeRole.set, .edge, .entrypoint, .edge]
        let peers = targets.indices.map { index in
            HostilePeer(
                "hostile-\(index)", roles[index], at: Bench.endpoint(66 + UInt32(index)), of: targets[index], bench,
                seed: UInt64(index))
        }
        var meters = [Meter](repeating: Meter(), count: peers.count)
        for round in 0..<(Self.messages / 2 / 40) {
            let index = Int(messages.random.next(below: UInt64(peers.count)))
            let peer = peers[index]
            peer.answer()
            if !peer.isOpen || messages.random.chance(0.01) { peer.open() }
            if messages.random.chance(0.5) { peer.renew() }
            let highest = targets[index].core.streams.all.compactMap { $0.incarnation?.index.highest }.max() ?? 0
            messages.near = [highest, highest &+ SequenceIndex.windowMax, highest &- min(highest, 2_048)]
            messages.tag = targets[index].core.streams.all.first?.incarnation?.tag ?? messages.tag
            for _ in 0..<40 { meters[index].measure(targets[index]) { peer.send(messages.next(peer.leaseNonce)) } }
            bench.forgetSent()
            tree.stream(for: .milliseconds(5))
            if round > 0, round.isMultiple(of: 500) {
                try #require(tree.isGapless && tree.sink.lost == 0, "round \(round), seed \(Self.seed)")
                tree.sink.payloads.removeFirst(max(tree.sink.payloads.count - 10, 0))
            }
        }
        for index in meters.indices {
            meters[index].expectBounded("children, as \(roles[index]) of \(targets[index].id)")
        }
        let before = tree.numbers.count
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless && tree.sink.lost == 0)
        #expect(tree.numbers.count - before > 190)
        #expect(tree.edge.counters[.linksDied] == 0)
    }

    private static let names = ["live/a", "live/b", "x/y/z", "live/fuzz"].compactMap { StreamName($0) }

    @Test(
        "A hostile parent, set reflector and entrypoint send anything; afterwards the streams come back"
    )
    func parents() throws {
        var tree = try #require(Tree(sets: 1))
        let bench = tree.bench
        let set = tree.sets[0]
        let (bad, region) = (try #require(StreamName("live/fuzz")), RegionID(1283))
        // The edge fetches one more stream, from a hostile parent; the set reflector fetches it for another edge, from
        // a hostile entrypoint; and the entrypoint announces to a hostile set reflector.
        let places = [UInt32(66), 67, 68].map(Bench.endpoint)
        let hosts = places.enumerated().map {
            ResolvedHost(name: "hostile-\($0.offset)", endpoint: $0.element, priority: 0, weight: 1)
        }
        bench.answers[.candidates(bad)] = .records(
            LookUpAnswer(hosts: [hosts[1]], ttlSeconds: 2, serial: 1, portset: PortsetID(8)))
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, region, PortsetID(8))] = .records(
                LookUpAnswer(hosts: [hosts[0]], ttlSeconds: 2, serial: 1))
            bench.answers[.parents(rank, RegionID(7), PortsetID(8))] = .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: "set-0", endpoint: Tree.setEndpoint(0), priority: 0, weight: 1)],
                    ttlSeconds: 2, serial: 1))
        }
        bench.answers[.announceTargets(host: "ep")] = .records(
            LookUpAnswer(hosts: [hosts[2]], ttlSeconds: 2, serial: 1))
        tree.sink.only = tree.stream
        let second = bench.add("edge-2", .edge, 101, region: RegionID(7), sink: Bench.Sink())
        tree.edge.want(tree.stream, at: bench.now)
        tree.edge.want(bad, at: bench.now)
        second.want(bad, at: bench.now)
        let targets = [tree.edge, set, tree.entrypoint]
        let roles = [NodeRole.set, .entrypoint, .set]
        let peers = targets.indices.map { index in
            HostilePeer(
                hosts[index].name, roles[index], at: places[index], of: targets[index], bench, seed: UInt64(index))
        }
        var messages = HostileMessages(seed: Self.seed &+ 1, streams: [bad] + Self.names)
        var meters = [Meter](repeating: Meter(), count: peers.count)
        var opened = Set<Int>()
        for round in 0..<(Self.messages / 2 / 40) {
            let index = Int(messages.random.next(below: UInt64(peers.count)))
            let (peer, target) = (peers[index], targets[index])
            peer.answer()
            if peer.isOpen { opened.insert(index) }
            messages.subscription = peer.subscribed?.subscription ?? 1
            let incarnation = target.core.streams.all.first { $0.name == bad }?.incarnation
            let highest = incarnation?.index.highest ?? 0
            messages.near = [highest, highest &+ SequenceIndex.windowMax, incarnation?.nextToDeliver ?? 0]
            if peer.isOpen {
                for _ in 0..<40 {
                    meters[index].measure(target) {
                        if messages.random.chance(0.5) {
                            peer.sendData(
                                bad, source: incarnation?.source ?? NodeID(1),
                                incarnation: incarnation?.incarnation ?? Incarnation(high: 1, low: 1),
                                sequence: messages.number, linkNumber: UInt32(truncatingIfNeeded: messages.number))
                        } else {
                            peer.send(messages.next(peer.leaseNonce))
                        }
                    }
                }
            }
            tree.stream(for: .milliseconds(5))
            for peer in peers { peer.answer() }
            bench.forgetSent()
            if round > 0, round.isMultiple(of: 500) {
                try #require(tree.isGapless && tree.sink.lost == 0, "round \(round), seed \(Self.seed)")
            }
        }
        #expect(opened.count == 3)
        for index in meters.indices {
            meters[index].expectBounded("parents, as \(roles[index]) of \(targets[index].id)")
        }
        // Now the zone names honest hosts only, and the stream comes from an honest entrypoint through an honest
        // parent.
        bench.answers[.candidates(bad)] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "ep", endpoint: Tree.entrypointEndpoint, priority: 0, weight: 1)],
                ttlSeconds: 2, serial: 2, portset: PortsetID(8)))
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, region, PortsetID(8))] = .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: "set-0", endpoint: Tree.setEndpoint(0), priority: 0, weight: 1)],
                    ttlSeconds: 2, serial: 2))
        }
        #expect(tree.entrypoint.provide(bad, at: bench.now))
        let delivered = second.counters[.delivered]
        for _ in 0..<4_000 {
            tree.entrypoint.ingest(UnsafeRawBufferPointer(start: nil, count: 0), stream: bad, at: bench.now)
            tree.stream(for: .milliseconds(5))
        }
        #expect(second.counters[.delivered] - delivered > 1_000, "the stream does not come back")
        #expect(tree.isGapless && tree.sink.lost == 0)
    }
}

/// Random messages: each field is at the ends of its range, near a value that the node holds, or arbitrary.
struct HostileMessages {
    var random: SeededGenerator
    let streams: [StreamName]
    var near: [UInt64] = []
    var tag = IncarnationTag(1)
    var subscription: UInt32 = 1

    init(seed: UInt64, streams: [StreamName]) {
        random = SeededGenerator(seed: seed)
        self.streams = streams
    }

    private static let ends: [UInt64] = [
        0, 1, 2, 63, 64, 65, 4_095, 4_096, 65_535, 65_536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 48,
        (1 << 62) - 65, (1 << 62) - 2, (1 << 62) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, .max - 63, .max - 1, .max,
    ]

    var number: UInt64 {
        mutating get {
            switch random.next(below: 4) {
            case 0: random.pick(Self.ends)
            case 1, 2: (near.isEmpty ? 1 : random.pick(near)) &+ random.next(below: 7) &- 3
            default: random.next()
            }
        }
    }

    /// A number that the decoder accepts.
    private var sequence: SequenceNumber {
        mutating get { SequenceNumber(min(number, WireLimits.sequenceMax)) }
    }

    private var id: UInt32 {
        mutating get {
            random.chance(0.6) ? subscription &+ UInt32(random.next(below: 4)) : UInt32(truncatingIfNeeded: number)
        }
    }

    private var incarnation: Incarnation {
        mutating get { Incarnation(high: random.next(below: 3), low: random.next(below: 3)) }
    }

    private var short: UInt16 { mutating get { UInt16(truncatingIfNeeded: number) } }
    private var word: UInt32 { mutating get { UInt32(truncatingIfNeeded: number) } }

    mutating func next(_ nonce: UInt64) -> RelayMessage {
        switch random.next(below: 31) {
        case 0, 1, 2: return .subscribe(subscribe())
        case 3, 4, 5, 6:
            return .subscribeReply(
                SubscribeReply(
                    subscription: id, status: random.chance(0.8) ? .ok : random.pick(SubscribeStatus.allCases),
                    source: NodeID(random.next(below: 3)),
                    incarnation: incarnation, oldest: sequence, highest: sequence, retryAfterMilliseconds: short))
        case 7: return .unsubscribe(subscription: id)
        case 8: return .subscriptionEnd(subscription: id, reason: random.pick(SubscriptionEndReason.allCases))
        case 9, 10, 11:
            return .renew(
                Renew(
                    leaseNonce: random.chance(0.5) ? nonce : number, subscriptions: short, digest: number,
                    timestamp: number, echoedTimestamp: number, echoDelayMicroseconds: word, received: word, lost: word)
            )
        case 12, 13, 14, 15: return .linkHeartbeat(linkHeartbeat())
        case 16, 17, 18: return .nak(nak())
        case 19:
            let pages = max(short, 1)
            let entries = (0..<random.next(below: 4)).map { _ in
                // Not the first stream, which other nodes watch.
                Announce.Entry(
                    stream: random.pick(Array(streams.dropFirst())), portset: PortsetID(short),
                    incarnation: incarnation)
            }
            let version = max(number, 1)
            let header = PageHeader(
                version: version, base: random.chance(0.5) ? 0 : number % version, page: short % pages, pages: pages)
            return .announce(Announce(header, entries: entries))
        case 20: return .heartbeat(Heartbeat(version: number, digest: number, timestamp: number))
        case 21: return .announcePull(versionHeld: number)
        case 22: return .heartbeatReply(HeartbeatReply(echoedTimestamp: number, isVoting: random.chance(0.5)))
        case 23: return .sizeProbe(length: UInt16(64 + random.next(below: 1_300)))
        case 24: return .sizeReport(length: short)
        case 25: return .payloadLimit(subscription: id, bytes: UInt16(1 + random.next(below: 1_400)))
        case 26, 27, 28: return .regionReport(regionReport())
        case 29: return .lanFeed(lanFeed())
        default:
            return random.chance(0.02) ? .close(random.pick(CloseReason.allCases)) : .announcePull(versionHeld: number)
        }
    }

    private mutating func regionReport() -> RegionReport {
        var report = RegionReport(
            isLeaving: random.chance(0.05), isSettled: random.chance(0.5), isOnLAN: random.chance(0.5),
            versionHeld: number)
        guard random.chance(0.8) else { return report }
        let entries = (0..<random.next(below: 30)).map { _ in
            let held = random.chance(0.5) ? tag : nil
            let name = random.chance(0.5) ? nil : StreamName("fuzz/\(random.next(below: 1 << 20))")
            return RegionReport.Entry(
                stream: name ?? random.pick(streams), isWanted: random.chance(0.5),
                slots: UInt8(random.next(below: 8)), isYielding: random.chance(0.3), held: held,
                highest: held == nil ? .none : sequence)
        }
        let pages = random.chance(0.7) ? 1 : max(short, 1)
        let version = max(number, 1)
        let header = PageHeader(
            version: version, base: random.chance(0.5) ? 0 : number % version, page: short % pages, pages: pages)
        report.page = RegionReport.Page(header, entries: entries)
        return report
    }

    private mutating func lanFeed() -> LanFeed {
        guard random.chance(0.8), let groups = LanGroups.v4 else { return LanFeed(subscription: id, place: nil) }
        let group =
            random.chance(0.7)
            ? groups.group(of: random.pick(streams))
            : Endpoint(address: IPAddress(v4: 0xe000_0000 | word >> 4), port: max(short, 1))
        return LanFeed(subscription: id, place: .init(token: number | 1, group: group))
    }

    private mutating func subscribe() -> Subscribe {
        let starts: [Subscribe.Start] = [
            .live, .preburst, .resume(random.chance(0.5) ? tag : IncarnationTag(number), sequence),
        ]
        return Subscribe(
            subscription: id, stream: random.pick(streams), portset: PortsetID(random.chance(0.9) ? 7 : short),
            start: random.pick(starts), rateSixteenths: UInt8(truncatingIfNeeded: number),
            path: (0..<random.next(below: 9)).map { _ in NodeID(number) }, isExtra: random.chance(0.3),
            isOnRequest: random.chance(0.3))
    }

    private mutating func linkHeartbeat() -> LinkHeartbeat {
        let entries = (0..<random.next(below: random.chance(0.1) ? 65 : 5)).map { _ in
            LinkHeartbeat.Entry(subscription: id, highest: sequence, upstreamSilentMilliseconds: short)
        }
        return LinkHeartbeat(
            nextLinkNumber: word, leaseNonce: number, timestamp: number, echoedTimestamp: number,
            echoDelayMicroseconds: word, digestMismatch: random.chance(0.5), entries: entries)
    }

    private mutating func nak() -> Nak {
        var runs: [Nak.Run] = []
        var left = UInt64(Nak.numbersMax)
        for _ in 0...random.next(below: 8) where left > 0 {
            let first = max(sequence.rawValue, 1)
            let count = min(1 + random.next(below: left), WireLimits.sequenceMax - first + 1)
            runs.append(.init(first: SequenceNumber(first), count: UInt8(count)))
            left -= count
        }
        return Nak(
            subscription: id, tryNumber: UInt8(random.next(below: 128)), isLast: random.chance(0.5), runs: runs)
    }
}
