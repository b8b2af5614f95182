import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// Set reflectors of one set region, edges that they serve, and an entrypoint with one stream.
private struct SetRegionBench {
    private var feed: RegionFeed
    private(set) var sets: [RelayNode] = []
    private(set) var edges: [RelayNode] = []
    var bench: Bench { feed.bench }
    var stream: StreamName { feed.stream }

    static func neighbour(_ index: Int) -> RegionNeighbour {
        RegionNeighbour(name: "set-\(index)", endpoint: Bench.endpoint(10 + UInt32(index)))
    }

    /// Edge number n, in region n, has set reflector number n as its only parent.
    init(_ count: Int) throws {
        let all = (0..<count).map {
            ResolvedHost(name: "set-\($0)", endpoint: Self.neighbour($0).endpoint, priority: 0, weight: 1)
        }
        feed = try RegionFeed(sets: .records(LookUpAnswer(hosts: all, ttlSeconds: 20, serial: 1)))
        for index in 0..<count {
            bench.answers[.parents(.first, Self.region(index), RegionFeed.portset)] = .records(
                LookUpAnswer(hosts: [all[index]], ttlSeconds: 20, serial: 1))
        }
        for index in 0..<count { self.sets.append(add(index, of: count)) }
        for index in 0..<count {
            edges.append(bench.add("edge-\(index)", .edge, 40 + UInt32(index), region: Self.region(index)))
        }
        feed.begin()
    }

    private static func region(_ index: Int) -> RegionID { RegionID(1_000 + UInt32(index)) }

    func add(_ index: Int, of count: Int, certified region: String = "nyc") -> RelayNode {
        let identity = SimulatedIdentity(name: "set-\(index)", .set, .set(region), operatorKey: Bench.operatorKey)
        return bench.add("set-\(index)", .set, 10 + UInt32(index), identity: identity) {
            $0.setRegion = "nyc"
            $0.neighbours = (0..<count).filter { $0 != index }.map(Self.neighbour)
        }
    }

    mutating func run(for span: TimeSpan) { feed.run(for: span) }
    func want(_ indices: Int...) { feed.want(at: indices.map { edges[$0] }) }

    /// The set reflectors that fetch the stream from the entrypoint, and those that fetch it from another one.
    var outside: [Int] { fetching { $0 == RegionFeed.endpoint } }
    var inside: [Int] { fetching { $0 != RegionFeed.endpoint } }
    var leaders: [Int] { sets.indices.filter { sets[$0].leadsInRegion(stream) } }

    private func fetching(_ isMeant: (Endpoint) -> Bool) -> [Int] {
        sets.indices.filter { sets[$0].snapshot.paths.contains { $0.isLive && isMeant($0.parent) } }
    }
}

@Suite("Set reflectors of one set region")
struct SetRegionNodeTests {
    @Test("One of them fetches the stream from the entrypoint, the others get it from there, and all edges get it")
    func oneCopy() throws {
        var run = try SetRegionBench(3)
        run.run(for: .seconds(1))
        run.want(0, 1, 2)
        run.run(for: .seconds(2))
        #expect(run.leaders.count == 1)
        #expect(run.outside == run.leaders)
        #expect(run.inside.count == 2)
        for edge in run.edges {
            #expect(edge.counters[.delivered] > 80)
            #expect(edge.counters[.lost] == 0)
        }
    }

    @Test("A set reflector without edges of its own fetches nothing, and the one that has them leads")
    func alone() throws {
        var run = try SetRegionBench(3)
        run.run(for: .seconds(1))
        run.want(1)
        run.run(for: .seconds(1))
        #expect(run.leaders == [1] && run.outside == [1] && run.inside.isEmpty)
        run.edges[1].release(run.stream, at: run.bench.now)
        run.run(for: .seconds(10))
        #expect(run.leaders.isEmpty && run.outside.isEmpty)
    }

    @Test("The lead set reflector is killed: another one resumes, and the edges behind the others lose nothing")
    func deathOfLead() throws {
        var run = try SetRegionBench(3)
        run.run(for: .seconds(1))
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        run.bench.kill(run.sets[leader])
        run.run(for: .seconds(3))
        let others = [0, 1, 2].filter { $0 != leader }
        #expect(run.leaders.filter { $0 != leader }.count == 1)
        #expect(run.outside.filter { $0 != leader }.count == 1)
        for index in others {
            #expect(run.edges[index].counters[.lost] == 0)
            #expect(run.edges[index].counters[.delivered] > 250)
        }
    }

    @Test("A set reflector that is asked to stop hands its slot over first")
    func drain() throws {
        var run = try SetRegionBench(3)
        run.run(for: .seconds(1))
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        for _ in 0..<20 where !run.sets[leader].drain(at: run.bench.now) { run.run(for: .milliseconds(100)) }
        #expect(run.leaders.count == 1 && run.leaders != [leader])
    }

    @Test("A set reflector with a certificate of another set region is served as any child, but not believed")
    func otherRegion() throws {
        var run = try SetRegionBench(2)
        run.run(for: .seconds(1))
        run.want(0)
        run.run(for: .seconds(1))
        run.bench.remove(run.sets[1])
        let stranger = run.add(1, of: 2, certified: "lon")
        run.run(for: .seconds(2))
        run.want(1)
        run.run(for: .seconds(2))
        #expect(run.sets[0].region?.members.first?.isUp == false)
        #expect(stranger.snapshot.paths.contains { $0.isLive && $0.parent == Bench.endpoint(1) })
        #expect(run.edges[0].counters[.lost] == 0)
    }
}
