import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Paths of a stream")
struct PathTests {
    private func running(sets: Int, batchMax: Int = 4) throws -> Tree {
        var tree = try #require(Tree(sets: sets, batchMax: batchMax))
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(tree.parent == Tree.setEndpoint(0))
        return tree
    }

    @Test("A cold tree delivers within a few round trips, from the beginning of the ring")
    func coldStart() throws {
        var tree = try #require(Tree(sets: 1))
        tree.stream(for: .seconds(1))
        #expect(tree.bench.data(to: Tree.setEndpoint(0)).isEmpty)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(150))
        #expect(tree.numbers.first == 1)
        tree.stream(for: .seconds(3))
        #expect(tree.isGapless)
        #expect(UInt64(tree.numbers.count) + 20 > tree.count)
    }

    @Test("A lost burst and a lost NAK for it are repaired within the deadline")
    func repair() throws {
        var tree = try running(sets: 1)
        var dropped = 0
        var naksDropped = 0
        tree.bench.loses = { datagram in
            if datagram.to == Tree.edgeEndpoint, datagram.type == 0x30, dropped < 5 {
                dropped += 1
                return true
            }
            if datagram.from == Tree.edgeEndpoint, datagram.type == 0x20, dropped == 5, naksDropped < 2 {
                naksDropped += 1
                return true
            }
            return false
        }
        tree.stream(for: .seconds(2))
        #expect(dropped == 5)
        #expect(naksDropped == 2)
        #expect(tree.isGapless)
        #expect(tree.sink.lost == 0)
        #expect(tree.edge.counters[.repaired] >= 5)
    }

    @Test("The heartbeat shows a lost tail")
    func tail() throws {
        var tree = try running(sets: 1)
        var isLossy = true
        tree.bench.loses = { isLossy && $0.to == Tree.edgeEndpoint && $0.type == 0x30 }
        tree.stream(for: .milliseconds(25))
        isLossy = false
        tree.bench.run(for: .milliseconds(450))
        #expect(tree.numbers.last == tree.count)
        #expect(tree.isGapless)
    }

    @Test("A relay that changes its parent requests no packet that it had before, and repairs what the new link loses")
    func relayChangesParent() throws {
        var tree = try #require(Tree(sets: 2))
        let relay = tree.bench.add("relay", .set, 20, region: RegionID(9_003))
        for (rank, index) in zip(ParentRank.allCases, 0..<2) {
            tree.bench.answers[.parents(rank, RegionID(9_003), PortsetID(7))] =
                tree.bench.answers[.parents(rank, RegionID(1283), PortsetID(7))]
            let hosts = [ResolvedHost(name: "relay", endpoint: Bench.endpoint(20), priority: 0, weight: 1)]
            tree.bench.answers[.parents(rank, RegionID(1283), PortsetID(7))] =
                index == 0 ? .records(LookUpAnswer(hosts: hosts, ttlSeconds: 2, serial: 1)) : nil
        }
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        // Longer than a packet stays in the log.
        tree.stream(for: .seconds(15))
        #expect(relay.snapshot.paths.map(\.parent) == [Tree.setEndpoint(0)])
        tree.bench.remove(tree.sets[0])
        tree.stream(for: .milliseconds(600))
        #expect(relay.snapshot.paths.map(\.parent) == [Tree.setEndpoint(1)])
        #expect(relay.snapshot.gaps == 0)
        #expect(relay.counters[.naksSent] == 0)

        var packets = 0
        tree.bench.loses = { datagram in
            guard datagram.to == Bench.endpoint(20), datagram.type == 0x30 else { return false }
            packets += 1
            return packets % 20 == 0
        }
        tree.stream(for: .seconds(2))
        #expect(relay.counters[.repaired] > 10)
        #expect(relay.counters[.droppedGapTableFull] == 0)
        #expect(tree.isGapless)
        #expect(tree.sink.lost == 0)
    }

    @Test("An edge leaves a working parent after an edit, but not because probes from elsewhere find it dead")
    func seemingDeath() throws {
        var tree = try running(sets: 2)
        tree.setParents([1], serial: 2, text: ["set=nyc", "serial=2", "cause=health set-0 dead", "dead=set-0"])
        tree.stream(for: .seconds(4))
        #expect(tree.parent == Tree.setEndpoint(0))
        tree.setParents([1], serial: 3, text: ["set=nyc", "serial=3", "cause=override drain set-0: test"])
        tree.stream(for: .seconds(4))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(tree.isGapless)
    }

    @Test("An edge immediately leaves a parent that is dead to the probes and to the edge itself")
    func realDeath() throws {
        var tree = try running(sets: 2)
        tree.setParents([1], serial: 2, text: ["dead=set-0"])
        tree.stream(for: .seconds(4))
        tree.bench.remove(tree.sets[0])
        tree.stream(for: .seconds(2))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(tree.isGapless)
    }

    @Test("The death of the parent causes no loss although the next one did not carry the stream")
    func parentDeath() throws {
        var tree = try running(sets: 3)
        #expect(tree.bench.data(to: Tree.setEndpoint(1)).isEmpty)
        tree.bench.remove(tree.sets[0])
        tree.stream(for: .seconds(2))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(tree.isGapless)
        #expect(tree.sink.lost == 0)
        #expect(UInt64(tree.numbers.count) + 20 > tree.count)
    }

    @Test("An edit moves the edge within the TTL, loses nothing and ends the old path")
    func edit() throws {
        var tree = try running(sets: 2)
        tree.setParents([1], serial: 2)
        tree.bench.answers[.parents(.second, RegionID(1283), PortsetID(7))] = .noSuchName(serial: 2)
        tree.stream(for: .milliseconds(2_500))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(tree.isGapless)
        #expect(tree.sink.lost == 0)
        let before = tree.bench.data(to: Tree.edgeEndpoint).count { $0.from == Tree.setEndpoint(0) }
        tree.stream(for: .seconds(1))
        #expect(tree.bench.data(to: Tree.edgeEndpoint).count { $0.from == Tree.setEndpoint(0) } == before)
    }

    @Test("After the last viewer has left and the grace periods are over, no data flows and no state is held")
    func leave() throws {
        var tree = try running(sets: 1)
        tree.edge.release(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(8))
        let before = tree.bench.sent.count { $0.type & 0xfe == 0x30 }
        tree.stream(for: .seconds(1))
        #expect(tree.bench.sent.count { $0.type & 0xfe == 0x30 } == before)
        #expect(tree.edge.snapshot.streams == 0)
        #expect(tree.sets[0].snapshot.streams == 0)
    }

    @Test("A parent above its capacity answers busy, and the edge uses the next one without retrying every second")
    func busy() throws {
        var tree = try #require(Tree(sets: 2) { $0.capacity = $0.name == "set-0" ? 1 : 0 })
        let other = tree.bench.add("other", .edge, 101, region: RegionID(1283), sink: Bench.Sink())
        tree.edge.want(tree.stream, at: tree.bench.now)
        // One second after the preburst, the edge's parent knows the rate of the stream.
        tree.stream(for: .seconds(2))
        other.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(5))
        #expect(other.snapshot.paths.map(\.parent) == [Tree.setEndpoint(1)])
        #expect((1...2).contains(tree.sets[0].counters[.subscribesRefusedBusy]))
    }

    @Test("Every child gets everything in order, even with the smallest batches")
    func smallBatches() throws {
        var tree = try running(sets: 1, batchMax: 1)
        let sinks = (0..<4).map { _ in Bench.Sink() }
        for (index, sink) in sinks.enumerated() {
            let edge = tree.bench.add("edge-\(index)", .edge, 110 + UInt32(index), region: RegionID(1283), sink: sink)
            edge.want(tree.stream, at: tree.bench.now)
        }
        tree.stream(for: .seconds(3))
        #expect(tree.isGapless)
        for sink in sinks {
            #expect(sink.lost == 0)
            #expect(UInt64(sink.payloads.count) + 20 > tree.count)
        }
    }

    @Test("An entrypoint that restarts begins a new incarnation, and its packets arrive")
    func newIncarnation() throws {
        let tree = try running(sets: 1)
        tree.bench.remove(tree.entrypoint)
        let restarted = tree.bench.add("ep", .entrypoint, 1)
        #expect(restarted.provide(tree.stream, at: tree.bench.now))
        let before = tree.sink.payloads.count
        for _ in 0..<600 {
            withUnsafeBytes(of: UInt64(1)) { restarted.ingest($0, stream: tree.stream, at: tree.bench.now) }
            tree.bench.run(for: .milliseconds(5))
        }
        #expect(tree.sink.payloads.count > before + 400, "\(tree.sink.payloads.count) \(before) \(tree.sink.lost)")
        #expect(tree.sink.lost == 0)
    }

    @Test("If the zone removes the parents, the edge leaves them without an alarm, and returns when they are back")
    func parentsTakenAway() throws {
        var tree = try running(sets: 2)
        tree.takeParentsAway(from: RegionID(1283))
        tree.stream(for: .milliseconds(2_500))
        #expect(tree.edge.snapshot.paths.isEmpty)
        #expect(tree.sets[0].snapshot.subscriptions == 0)
        let before = tree.bench.data(to: Tree.edgeEndpoint).count
        tree.stream(for: .seconds(2))
        #expect(tree.bench.data(to: Tree.edgeEndpoint).count == before)
        #expect(tree.bench.alarms.isEmpty)
        tree.setParents([1], serial: 3)
        // The missed packets come first, faster than real time.
        tree.stream(for: .seconds(12))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(UInt64(tree.numbers.count) < tree.count)
        #expect(tree.numbers.last.map { $0 + 20 > tree.count } == true)
    }

    @Test("A set reflector without parents tells its children, and does not use an entrypoint instead")
    func transitTakenAway() throws {
        var tree = try running(sets: 2)
        tree.takeParentsAway(from: RegionID(9_000))
        // Both set reflectors are in that region, and look up its parents as soon as they need them.
        tree.stream(for: .seconds(8))
        #expect(tree.sets.allSatisfy { $0.snapshot.paths.isEmpty })
        let before = tree.bench.data(to: Tree.setEndpoint(0)).count + tree.bench.data(to: Tree.edgeEndpoint).count
        tree.stream(for: .seconds(2))
        #expect(tree.bench.data(to: Tree.setEndpoint(0)).count + tree.bench.data(to: Tree.edgeEndpoint).count == before)
        #expect(tree.edge.snapshot.paths.allSatisfy { !$0.isLive })
    }

    @Test("A node with nothing to do does not wake")
    func idle() throws {
        let tree = try running(sets: 1)
        let idle = tree.bench.add("idle", .edge, 120, region: RegionID(1284), sink: Bench.Sink())
        #expect(idle.nextTimeout == .distantFuture)
        tree.edge.release(tree.stream, at: tree.bench.now)
        tree.bench.run(for: .seconds(120))
        #expect(tree.edge.snapshot.parentLinks == 0)
        #expect(tree.edge.nextTimeout == .distantFuture)
    }
}
