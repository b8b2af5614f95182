import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

@Suite("A region whose members give each other streams by multicast")
struct LanNodeTests {
    private let group = LanGroups.v4!.group(of: StreamName("live/news")!)

    private func region(_ count: Int) throws -> RegionBench {
        var run = try RegionBench(count) { $0.lan = .v4 }
        run.run(for: .seconds(1))
        return run
    }

    private func toGroup(_ run: RegionBench) -> [DataHeader] {
        run.bench.sent.filter { $0.to == group }.compactMap { one in
            one.bytes.withUnsafeBytes { try? DataHeader(parsing: $0) }
        }
    }

    private func toEdges(_ run: RegionBench) -> Int {
        (0..<run.edges.count).reduce(0) { $0 + run.bench.data(to: RegionBench.neighbour($1).endpoint).count }
    }

    @Test("Each packet crosses the LAN once, and none goes to a member on its link")
    func once() throws {
        var run = try region(4)
        run.want(0, 1, 2, 3)
        run.run(for: .seconds(3))
        #expect(run.onLAN.count == 3 && run.outside.count == 1)
        run.bench.forgetSent()
        run.run(for: .seconds(4))
        #expect((198...203).contains(toGroup(run).count))
        // The copy from outside, and no other.
        #expect((198...203).contains(toEdges(run)))
        for edge in run.edges { #expect(edge.counters[.lost] == 0 && edge.counters[.delivered] > 300) }
    }

    @Test("A packet that the LAN loses for everybody is asked for, and sent to the group once more")
    func shared() throws {
        var run = try region(4)
        run.want(0, 1, 2, 3)
        run.run(for: .seconds(3))
        run.bench.forgetSent()
        var lost: Set<UInt64> = []
        run.bench.losesAt = { one, _ in
            guard let header = one.bytes.withUnsafeBytes({ try? DataHeader(parsing: $0) }), !header.retransmitted,
                header.sequence.rawValue % 20 == 0
            else { return false }
            lost.insert(header.sequence.rawValue)
            return true
        }
        run.run(for: .seconds(4))
        let again = toGroup(run).filter(\.retransmitted).map(\.sequence.rawValue)
        #expect(lost.count >= 9 && lost.subtracting(again).count <= 1, "\(lost.sorted()) \(again)")
        #expect(Set(again).isSubset(of: lost), "\(lost.sorted()) \(again)")
        #expect(again.count <= lost.count + 1)
        for edge in run.edges { #expect(edge.counters[.lost] == 0) }
        #expect(run.onLAN.count == 3)
    }

    @Test("A member that multicast does not reach goes back to a copy of its own, and loses nothing")
    func deaf() throws {
        var run = try region(3)
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        let deaf = try #require(run.onLAN.first)
        run.bench.losesAt = { _, endpoint in endpoint == RegionBench.neighbour(deaf).endpoint }
        run.run(for: .seconds(2))
        #expect(run.onLAN == [0, 1, 2].filter { $0 != leader && $0 != deaf })
        #expect(run.edges[deaf].counters[.lost] == 0)
        #expect(run.edges[deaf].counters[.lanFeedsFailed] >= 1)
        run.bench.losesAt = { _, _ in false }
        run.run(for: .seconds(40))
        #expect(run.onLAN.count == 2)
        for edge in run.edges { #expect(edge.counters[.lost] == 0) }
    }

    @Test("A member that joins late gets the past by its link first, and gives nothing up for what the group brings")
    func late() throws {
        var run = try region(3)
        run.want(0)
        run.run(for: .seconds(6))
        run.want(1)
        run.run(for: .seconds(1))
        run.want(2)
        run.run(for: .seconds(8))
        #expect(run.onLAN.count == 2)
        for edge in run.edges { #expect(edge.counters[.lost] == 0 && edge.counters[.repaired] == 0) }
        #expect(run.edges[1].counters[.delivered] > 600)
    }

    @Test("The leader dies: the next one sends to the group, and nothing is lost")
    func death() throws {
        var run = try region(3)
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        run.bench.kill(run.edges[leader])
        run.run(for: .seconds(4))
        for index in [0, 1, 2] where index != leader {
            #expect(run.edges[index].counters[.lost] == 0 && run.edges[index].counters[.delivered] > 250)
        }
        #expect(run.onLAN.filter { $0 != leader }.count == 1)
    }

    @Test("A member without multicast gets copies from one that has it")
    func mixed() throws {
        var run = try RegionBench(3) { if $0.name != "edge-1" { $0.lan = .v4 } }
        run.run(for: .seconds(1))
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        #expect(!run.onLAN.contains(1))
        for edge in run.edges { #expect(edge.counters[.lost] == 0 && edge.counters[.delivered] > 100) }
    }

    @Test("A datagram on the group from elsewhere, a forged one and one for another token are counted and dropped")
    func forged() throws {
        var run = try region(3)
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        let victim = run.edges[try #require(run.onLAN.first)]
        var bytes = try #require(run.bench.sent.last { $0.to == group }).bytes
        let before = victim.counters
        run.bench.inject(bytes, from: Bench.endpoint(77), to: victim)
        #expect(victim.counters[.rejectedWrongAddress] == before[.rejectedWrongAddress] + 1)
        bytes[40] ^= 1
        run.bench.inject(bytes, from: RegionBench.neighbour(leader).endpoint, to: victim)
        #expect(victim.counters[.rejectedBadSeal] == before[.rejectedBadSeal] + 1)
        bytes[3] ^= 1
        run.bench.inject(bytes, from: RegionBench.neighbour(leader).endpoint, to: victim)
        #expect(victim.counters[.rejectedUnknownToken] == before[.rejectedUnknownToken] + 1)
        run.run(for: .seconds(1))
        #expect(run.onLAN.count == 2 && victim.counters[.lost] == 0)
    }

    @Test("A replayed packet with a false number neither stops the stream nor stays")
    func replayed() throws {
        var run = try region(2)
        run.want(0, 1)
        run.run(for: .seconds(3))
        let leader = try #require(run.leaders.first)
        let victim = run.edges[try #require(run.onLAN.first)]
        var bytes = try #require(run.bench.sent.last { $0.to == group }).bytes
        for number in stride(from: UInt32(0), to: UInt32.max - 200_000_000, by: 200_000_000) {
            withUnsafeBytes(of: number.bigEndian) { bytes.replaceSubrange(10..<14, with: $0) }
            run.bench.inject(bytes, from: RegionBench.neighbour(leader).endpoint, to: victim)
        }
        run.run(for: .seconds(5))
        #expect(victim.counters[.lost] == 0 && victim.counters[.delivered] > 300)
        #expect(run.onLAN.count == 1)
    }

    @Test("A feed outside the configured groups, or from a node that is no member, is refused and counted")
    func refused() throws {
        var run = try RegionBench(2) {
            $0.lan = $0.name == "edge-0" ? .v4 : LanGroups(CIDRBlock("239.1.0.0/30"), port: 5_000)
        }
        run.run(for: .seconds(1))
        run.want(0, 1)
        run.run(for: .seconds(3))
        #expect(run.onLAN.isEmpty)
        #expect(run.edges.reduce(0) { $0 + $1.counters[.lanFeedsRefused] } > 0)
        for edge in run.edges { #expect(edge.counters[.lost] == 0 && edge.counters[.delivered] > 100) }
    }

    @Test("Groups are left, and feeds end, when nobody wants the stream any more")
    func ended() throws {
        var run = try region(3)
        run.want(0, 1, 2)
        run.run(for: .seconds(3))
        #expect(run.bench.groups[group]?.count == 2)
        for edge in run.edges { edge.release(run.stream, at: run.bench.now) }
        run.run(for: .seconds(10))
        #expect(run.bench.groups[group]?.isEmpty == true)
        run.bench.forgetSent()
        run.run(for: .seconds(2))
        #expect(toGroup(run).isEmpty)
        for edge in run.edges { #expect(edge.core.lan.outlets.isEmpty && edge.core.lan.groupCount == 0) }
    }
}
