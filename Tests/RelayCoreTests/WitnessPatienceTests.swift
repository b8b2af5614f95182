import ReflectorModel
import ReflectorSimulation
import Testing

@testable import RelayCore

/// One entrypoint that a witness hears, with another candidate beside it; an edge may fetch from the witness.
private final class PatienceBench {
    let bench = Bench()
    let stream = StreamName("live/news")!
    let entrypoints: [RelayNode]
    let witness: RelayNode
    private var number: UInt64 = 0

    static let leader = Bench.endpoint(1)
    static let set = Bench.endpoint(10)

    init() {
        let hosts = (0..<2).map { index in
            ResolvedHost(
                name: "ep-\(index)", endpoint: Bench.endpoint(1 + UInt32(index)), priority: UInt16(index), weight: 1)
        }
        let set = [ResolvedHost(name: "set", endpoint: Self.set, priority: 0, weight: 1)]
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(hosts: hosts, ttlSeconds: 20, serial: 1, portset: PortsetID(7)))
        for host in hosts {
            bench.answers[.announceTargets(host: host.name)] = .records(
                LookUpAnswer(hosts: set, ttlSeconds: 20, serial: 1))
        }
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, RegionID(1283), PortsetID(7))] = .records(
                LookUpAnswer(hosts: set, ttlSeconds: 20, serial: 1))
        }
        witness = bench.add("set", .set, 10, region: RegionID(9_000))
        entrypoints = (0..<2).map { [bench] in bench.add("ep-\($0)", .entrypoint, 1 + UInt32($0)) }
        for entrypoint in entrypoints { _ = entrypoint.provide(stream, at: bench.now) }
        run(for: .seconds(3))
    }

    /// Both encoders send a packet every 20 ms.
    func run(for span: TimeSpan) {
        for _ in 0..<span.milliseconds / 20 {
            number += 1
            for entrypoint in entrypoints {
                withUnsafeBytes(of: number) { entrypoint.ingest($0, stream: stream, at: bench.now) }
            }
            bench.run(for: .milliseconds(20))
        }
    }

    var leads: Bool { witness.witness?.leader(of: stream) == NodeID(name: "ep-0") }
    var takeovers: UInt64 { witness.counters[.takeovers] }
}

@Suite("How long a witness waits for a silent entrypoint")
struct WitnessPatienceTests {
    @Test("A path that loses everything for 700 ms costs nobody the lead; 1.2 s do")
    func burst() {
        let run = PatienceBench()
        #expect(run.leads)
        for _ in 0..<5 {
            run.bench.loses = { $0.from == PatienceBench.leader }
            run.run(for: .milliseconds(700))
            run.bench.loses = { _ in false }
            run.run(for: .milliseconds(500))
            #expect(run.leads)
        }
        #expect(run.takeovers == 0)
        run.bench.loses = { $0.from == PatienceBench.leader }
        run.run(for: .milliseconds(1_200))
        #expect(!run.leads && run.takeovers == 1)
    }

    @Test("Packets of the stream show that the entrypoint lives, though none of its heartbeats arrives")
    func data() {
        let run = PatienceBench()
        let edge = run.bench.add("edge", .edge, 100, region: RegionID(1283))
        edge.want(run.stream, at: run.bench.now)
        run.run(for: .seconds(2))
        run.bench.loses = {
            $0.from == PatienceBench.leader && $0.to == PatienceBench.set && $0.type & 0xfe != 0x30
        }
        run.run(for: .milliseconds(1_800))
        #expect(run.leads && run.takeovers == 0)
    }

    @Test("Once half of a lease has passed without a Renew, its nonce is sent four times a second")
    func leases() {
        let run = PatienceBench()
        func heartbeats(in span: TimeSpan) -> Int {
            let before = run.bench.sent.count
            run.run(for: span)
            return run.bench.sent[before...].count { $0.from == PatienceBench.set && $0.to == PatienceBench.leader }
        }
        run.bench.loses = { $0.from == PatienceBench.leader }
        _ = heartbeats(in: .seconds(3))
        #expect(heartbeats(in: .seconds(2)) >= 8)
    }
}
