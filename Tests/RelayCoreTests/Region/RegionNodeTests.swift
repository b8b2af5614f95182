import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("Edges of one region")
struct RegionNodeTests {
    @Test("One of them fetches the stream, the others get it from there, and all deliver it")
    func oneCopy() throws {
        var run = try RegionBench(3)
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

    @Test("A stream that one edge wants is fetched by that one")
    func alone() throws {
        var run = try RegionBench(3)
        run.run(for: .seconds(1))
        run.want(1)
        run.run(for: .seconds(1))
        #expect(run.leaders == [1] && run.outside == [1] && run.inside.isEmpty)
        run.edges[1].release(run.stream, at: run.bench.now)
        run.run(for: .seconds(8))
        #expect(run.leaders.isEmpty && run.outside.isEmpty)
    }

    @Test("The leader is killed: another one leads and resumes, and nothing is lost")
    func death() throws {
        var run = try RegionBench(3)
        run.run(for: .seconds(1))
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        run.bench.kill(run.edges[leader])
        run.run(for: .seconds(3))
        let others = [0, 1, 2].filter { $0 != leader }
        #expect(run.leaders.filter { $0 != leader }.count == 1)
        #expect(run.outside.filter { $0 != leader }.count == 1)
        for index in others {
            #expect(run.edges[index].counters[.lost] == 0)
            #expect(run.edges[index].counters[.membersLost] == 1)
            #expect(run.edges[index].counters[.delivered] > 250)
        }
    }

    @Test("A member that is asked to stop hands its slot over first")
    func drain() throws {
        var run = try RegionBench(3)
        run.run(for: .seconds(1))
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        var isDone = false
        for _ in 0..<20 where !isDone {
            isDone = run.edges[leader].drain(at: run.bench.now)
            run.run(for: .milliseconds(100))
        }
        #expect(isDone)
        #expect(run.leaders.count == 1 && run.leaders != [leader])
        #expect(run.edges[leader].counters[.slotsHandedOver] == 1)
        run.edges[leader].close(at: run.bench.now)
        run.run(for: .seconds(2))
        for edge in run.edges { #expect(edge.counters[.lost] == 0) }
    }

    @Test("An edge with a certificate of another region is neither served nor believed")
    func otherRegion() throws {
        var run = try RegionBench(2)
        run.run(for: .seconds(1))
        run.want(0)
        run.run(for: .seconds(1))
        run.bench.remove(run.edges[1])
        let stranger = run.add(1, of: 2, certified: RegionID(7))
        run.run(for: .seconds(1))
        stranger.want(run.stream, at: run.bench.now)
        run.run(for: .seconds(2))
        #expect(run.edges[0].counters[.regionReportsRefused] > 0)
        #expect(run.edges[0].snapshot.subscriptions == 0)
        #expect(!stranger.snapshot.paths.contains { $0.rank == 0 && $0.isLive })
        #expect(run.edges[0].region?.members.first?.isUp == false)
    }

    @Test("An edge without members serves nobody, and sends no reports")
    func single() throws {
        var run = try RegionBench(1)
        run.want(0)
        run.run(for: .seconds(1))
        #expect(run.edges[0].counters[.regionReportsSent] == 0 && run.outside == [0])
    }

    @Test("A status names members, leaders and reasons")
    func status() throws {
        var run = try RegionBench(2)
        run.run(for: .seconds(1))
        run.want(0, 1)
        run.run(for: .seconds(1))
        let leader = try #require(run.leaders.first)
        for edge in run.edges {
            let status = edge.status(zone: "reflector.net", endpoint: Bench.endpoint(1), at: run.bench.now)
            let view = try #require(status.members)
            #expect(view.members.map(\.state) == ["new", "new"])
            #expect(view.slots.map(\.leader) == ["edge-\(leader)"])
            #expect(view.slots.first?.wantedBy.sorted() == ["edge-0", "edge-1"])
            #expect(view.aloneSeconds == nil)
        }
        run.bench.kill(run.edges[1 - leader])
        run.run(for: .seconds(2))
        let status = run.edges[leader].status(zone: "reflector.net", endpoint: Bench.endpoint(1), at: run.bench.now)
        #expect(status.members?.aloneSeconds ?? 0 > 0.5)
    }
}
