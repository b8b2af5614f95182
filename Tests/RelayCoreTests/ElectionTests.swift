import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// Three entrypoints, candidates in this order for one stream, and three set reflectors that observe them.
private struct ElectionBench {
    let bench = Bench()
    let stream: StreamName
    private(set) var entrypoints: [RelayNode] = []
    private(set) var sets: [RelayNode] = []
    private var numbers: [UInt64]

    static func entrypoint(_ index: Int) -> String { "ep-\(index)" }
    static func entrypointEndpoint(_ index: Int) -> Endpoint { Bench.endpoint(1 + UInt32(index)) }

    init(entrypoints count: Int = 3, text: [String] = []) throws {
        stream = try #require(StreamName("live/news"))
        numbers = Array(repeating: 0, count: count)
        setCandidates(Array(0..<count), text: text)
        let targets = (0..<3).map { index in
            ResolvedHost(name: "set-\(index)", endpoint: Bench.endpoint(10 + UInt32(index)), priority: 0, weight: 1)
        }
        for index in 0..<count {
            bench.answers[.announceTargets(host: Self.entrypoint(index))] = .records(
                LookUpAnswer(hosts: targets, ttlSeconds: 20, serial: 1))
        }
        bench.answers[.rootSets(PortsetID(7))] = .records(LookUpAnswer(hosts: targets, ttlSeconds: 20, serial: 1))
        for index in 0..<3 { sets.append(bench.add("set-\(index)", .set, 10 + UInt32(index), region: RegionID(9_000))) }
        for index in 0..<count { entrypoints.append(bench.add(Self.entrypoint(index), .entrypoint, 1 + UInt32(index))) }
    }

    func setCandidates(_ order: [Int], text: [String]) {
        let hosts = order.enumerated().map { place, index in
            ResolvedHost(
                name: Self.entrypoint(index), endpoint: Self.entrypointEndpoint(index), priority: UInt16(place),
                weight: 1)
        }
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(hosts: hosts, ttlSeconds: 2, text: text, serial: 1, portset: PortsetID(7)))
    }

    /// Lets the encoders of these entrypoints send for a while, one packet every 20 ms.
    mutating func run(for span: TimeSpan, sending: [Int] = []) {
        for _ in 0..<span.milliseconds / 20 {
            for index in sending {
                numbers[index] += 1
                withUnsafeBytes(of: numbers[index]) {
                    entrypoints[index].ingest($0, stream: stream, at: bench.now)
                }
            }
            bench.run(for: .milliseconds(20))
        }
    }

    func provide(_ indices: Int...) {
        for index in indices { _ = entrypoints[index].provide(stream, at: bench.now) }
    }

    func leader(at set: Int) -> String? {
        guard let leader = sets[set].witness?.leader(of: stream) else { return nil }
        return entrypoints.indices.map(Self.entrypoint).first { NodeID(name: $0) == leader }
    }

    var leaders: [String?] { sets.indices.map(leader) }

    func isPulling(_ index: Int) -> Bool { bench.pulls["\(Self.entrypoint(index)) \(stream)"] ?? false }
}

@Suite("Entrypoints elected by witnesses")
struct ElectionTests {
    @Test(
        "The first candidate leads for every witness; when it dies, the second; the first again 10 s after its return")
    func warm() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
        run.bench.loses = { $0.from == ElectionBench.entrypointEndpoint(0) }
        run.run(for: .milliseconds(1_200), sending: [0, 1])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
        run.bench.loses = { _ in false }
        run.run(for: .seconds(9), sending: [0, 1])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
        run.run(for: .seconds(4), sending: [0, 1])
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
        let view = run.entrypoints[1].leadership(of: run.stream, at: run.bench.now)
        #expect(view == Leadership(isLeader: false, leader: "ep-0", rank: 2))
    }

    @Test("A witness gives a killed entrypoint up in 500 ms, and a flood of forged refusals changes nothing")
    func killed() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(5), sending: [0, 1])
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
        let (witness, entrypoint) = (Bench.endpoint(10), ElectionBench.entrypointEndpoint(0))
        let quoted = try #require(run.bench.sent.last { $0.from == witness && $0.to == entrypoint }).bytes
        for _ in 0..<150 {
            for _ in 0..<20 {
                quoted.withUnsafeBytes { run.sets[0].portUnreachable(entrypoint, quoted: $0, at: run.bench.now) }
            }
            run.run(for: .milliseconds(20), sending: [0, 1])
        }
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
        #expect(run.sets[0].counters[.deathsRefuted] > 0 && run.sets[0].counters[.deathsByRefusal] == 0)
        run.run(for: .seconds(10), sending: [0, 1])
        run.bench.kill(run.entrypoints[0])
        run.run(for: .milliseconds(500), sending: [1])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
        #expect(run.sets.allSatisfy { $0.counters[.deathsByRefusal] > 0 })
    }

    @Test("An encoder that leaves, and one that falls silent, cost the entrypoint the lead although it lives")
    func encoderLost() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        run.entrypoints[0].encoderLeft(run.stream, at: run.bench.now)
        run.run(for: .milliseconds(200), sending: [1])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
        run.provide(0)
        run.run(for: .seconds(12), sending: [0, 1])
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
        run.run(for: .seconds(2) + .milliseconds(200), sending: [1])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
    }

    @Test(
        "Cold: the first pulls; the second begins when a majority calls the stream orphaned, and stops later"
    )
    func cold() throws {
        var run = try ElectionBench(text: ["ingest=pull"])
        for entrypoint in run.entrypoints { entrypoint.offer(run.stream, at: run.bench.now) }
        run.run(for: .milliseconds(500))
        #expect(run.isPulling(0))
        run.provide(0)
        run.run(for: .seconds(4), sending: [0])
        #expect([0, 1, 2].map(run.isPulling) == [true, false, false])
        run.bench.loses = { $0.from == ElectionBench.entrypointEndpoint(0) }
        run.run(for: .milliseconds(1_400), sending: [0])
        #expect(run.isPulling(1))
        run.provide(1)
        run.run(for: .seconds(3), sending: [0, 1])
        #expect([1, 2].map(run.isPulling) == [true, false])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
        run.bench.loses = { _ in false }
        run.run(for: .seconds(17), sending: [0, 1])
        #expect([0, 1, 2].map(run.isPulling) == [true, false, false])
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
    }

    @Test("One witness that is cut off from the leader starts no second puller, and gets the stream from a peer")
    func minority() throws {
        var run = try ElectionBench(text: ["ingest=pull"])
        for entrypoint in run.entrypoints { entrypoint.offer(run.stream, at: run.bench.now) }
        run.run(for: .milliseconds(500))
        run.provide(0)
        let sink = Bench.Sink()
        let edge = run.bench.add("edge", .edge, 100, region: RegionID(1283), sink: sink)
        for rank in ParentRank.allCases {
            run.bench.answers[.parents(rank, RegionID(1283), PortsetID(7))] = .records(
                LookUpAnswer(
                    hosts: [ResolvedHost(name: "set-0", endpoint: Bench.endpoint(10), priority: 0, weight: 1)],
                    ttlSeconds: 20, serial: 1))
        }
        edge.want(run.stream, at: run.bench.now)
        run.run(for: .seconds(3), sending: [0])
        #expect(!sink.payloads.isEmpty)
        let (first, set) = (ElectionBench.entrypointEndpoint(0), Bench.endpoint(10))
        run.bench.loses = { $0.from == first && $0.to == set || $0.from == set && $0.to == first }
        run.run(for: .seconds(4), sending: [0])
        #expect([0, 1, 2].map(run.isPulling) == [true, false, false])
        #expect(run.leader(at: 1) == "ep-0")
        let before = sink.payloads.count
        run.run(for: .seconds(2), sending: [0])
        #expect(sink.payloads.count >= before + 90)
        #expect(run.sets[0].counters[.peersAsked] > 0)
    }

    @Test("A witness that loses all entrypoints at once decides nothing and does not vote, also not right after")
    func doubt() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        let set = Bench.endpoint(10)
        run.bench.loses = { $0.to == set || $0.from == set }
        run.run(for: .seconds(3), sending: [0, 1])
        #expect(run.leader(at: 0) == "ep-0")
        #expect(!run.sets[0].isVoting(at: run.bench.now))
        #expect(run.sets[0].counters[.votesWithheld] == 1)
        run.bench.loses = { _ in false }
        run.run(for: .seconds(6), sending: [0, 1])
        #expect(run.leader(at: 0) == "ep-0")
        #expect(run.sets[0].isVoting(at: run.bench.now))
        #expect(run.sets[0].counters[.takeovers] == 0)
    }

    @Test("A witness that slept takes nobody for dead")
    func sleeper() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        for _ in 0..<5 {
            run.bench.pause(run.sets[0], for: .seconds(2))
            run.run(for: .seconds(3), sending: [0, 1])
            #expect(run.leader(at: 0) == "ep-0")
        }
        #expect(run.sets[0].counters[.takeovers] == 0)
    }

    @Test("Pinned by an operator, the third leads at once; barred, the first no longer does")
    func operators() throws {
        var run = try ElectionBench()
        run.provide(0, 1, 2)
        run.run(for: .seconds(2), sending: [0, 1, 2])
        run.setCandidates([2, 0, 1], text: ["pin=ep-2"])
        run.run(for: .seconds(3), sending: [0, 1, 2])
        #expect(run.leaders == ["ep-2", "ep-2", "ep-2"])
        run.setCandidates([1, 2], text: ["barred=ep-0"])
        run.run(for: .seconds(14), sending: [0, 1, 2])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
    }

    @Test("An entrypoint that is about to stop hands its streams over first")
    func drains() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        _ = run.entrypoints[0].drain(at: run.bench.now)
        run.run(for: .milliseconds(300), sending: [0, 1])
        #expect(run.leaders == ["ep-1", "ep-1", "ep-1"])
    }

    // MARK: Lies

    @Test("A node with an entrypoint's certificate that is no candidate cannot lead, even if all candidates are dead")
    func notACandidate() throws {
        var run = try ElectionBench(entrypoints: 2)
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        let set = run.sets[0]
        let peer = HostilePeer("mallory", .entrypoint, at: Bench.endpoint(66), of: set, run.bench, seed: 66)
        try #require(peer.open())
        let entry = Announce.Entry(
            stream: run.stream, portset: PortsetID(7), incarnation: Incarnation(high: 6, low: 6), supply: .live)
        for index in 0..<2 {
            let dead = ElectionBench.entrypointEndpoint(index)
            let loses = run.bench.loses
            run.bench.loses = { loses($0) || $0.from == dead }
        }
        for version in 1...20 as ClosedRange<UInt64> {
            peer.send(.announce(Announce(PageHeader(version: version), entries: [entry])))
            peer.send(.heartbeat(Heartbeat(version: version, digest: 1, timestamp: 1)))
            run.run(for: .milliseconds(200))
        }
        #expect(set.witness?.leader(of: run.stream) != NodeID(name: "mallory"))
        #expect(set.counters[.announcementsRefused] > 0)
    }

    @Test("A witness that lies alone moves nothing: it calls the stream orphaned, names a worse leader, or a stranger")
    func lyingWitness() throws {
        var run = try ElectionBench(text: ["ingest=pull"])
        for entrypoint in run.entrypoints { entrypoint.offer(run.stream, at: run.bench.now) }
        run.run(for: .milliseconds(500))
        run.provide(0)
        run.run(for: .seconds(3), sending: [0])
        for leader in [nil, NodeID(name: "ep-2"), NodeID(name: "mallory")] {
            for entrypoint in run.entrypoints {
                let link = try #require(entrypoint.core.links.parents.all.first { $0.peerName == "set-0" })
                let lie = WitnessReport(
                    PageHeader(version: link.witness.version + 1),
                    entries: [.init(stream: run.stream, leader: leader, hasSubscribers: true)])
                #expect(link.witness.take(lie, countMax: 100) == .changed)
            }
            run.run(for: .milliseconds(100), sending: [0])
            #expect([0, 1, 2].map(run.isPulling) == [true, false, false])
            #expect(run.entrypoints[1].leadership(of: run.stream, at: run.bench.now).leader == "ep-0")
        }
    }

    @Test("Only a set reflector reports: an entrypoint or edge with a valid key that sends a report is refused")
    func reportsFromOthers() throws {
        var run = try ElectionBench()
        run.provide(0)
        run.run(for: .seconds(1), sending: [0])
        let report = WitnessReport(
            PageHeader(version: 9), entries: [.init(stream: run.stream, leader: nil, hasSubscribers: true)])
        for (name, role, number) in [("ep-9", NodeRole.entrypoint, UInt32(66)), ("edge-9", .edge, 67)] {
            let peer = HostilePeer(name, role, at: Bench.endpoint(number), of: run.entrypoints[0], run.bench, seed: 1)
            let before = run.entrypoints[0].counters[.rejectedUnexpected]
            if peer.open() { peer.send(.witnessReport(report)) }
            run.run(for: .milliseconds(100), sending: [0])
            #expect(run.entrypoints[0].counters[.rejectedUnexpected] > before || !peer.isOpen)
        }
        #expect(run.leaders == ["ep-0", "ep-0", "ep-0"])
    }

    @Test("A witness tells a name server only the streams that the first candidate does not lead")
    func probes() throws {
        var run = try ElectionBench()
        run.provide(0, 1)
        run.run(for: .seconds(2), sending: [0, 1])
        let prober = HostilePeer(
            SimulatedIdentity(name: "ns1", .nameServer, operatorKey: Bench.operatorKey), at: Bench.endpoint(70),
            of: run.sets[0], run.bench, seed: 3)
        try #require(prober.open())
        prober.send(.probe(number: 1))
        run.run(for: .milliseconds(100), sending: [0, 1])
        prober.answer()
        #expect(prober.report?.leads == [])
        run.bench.loses = { $0.from == ElectionBench.entrypointEndpoint(0) }
        run.run(for: .milliseconds(1_200), sending: [0, 1])
        prober.send(.probe(number: 2))
        run.run(for: .milliseconds(100), sending: [0, 1])
        prober.answer()
        #expect(prober.report?.leads == [.init(stream: run.stream, source: NodeID(name: "ep-1"))])
    }
}

@Suite("What an entrypoint could pull")
struct CandidacyTests {
    @Test("There is a limit to the streams that an entrypoint offers, and each is offered once")
    func full() throws {
        var candidacy = Candidacy()
        let names = (0..<4).compactMap { StreamName("live/n\($0)") }
        for name in names.prefix(3) { #expect(did(&candidacy) { $0.offer(name, countMax: 3) }) }
        #expect(!did(&candidacy) { $0.offer(names[0], countMax: 4) })
        #expect(!did(&candidacy) { $0.offer(names[3], countMax: 3) })
        #expect(candidacy.offers == Array(names.prefix(3)))
        #expect(!did(&candidacy) { $0.withdraw(names[1]) })
        #expect(did(&candidacy) { $0.offer(names[3], countMax: 3) })
    }
}
