import ReflectorModel
import Testing

@testable import RelayCore

@Suite("A node that is about to stop")
struct DrainTests {
    private func running(sets: Int) throws -> Tree {
        var tree = try #require(Tree(sets: sets))
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(tree.parent == Tree.setEndpoint(0))
        return tree
    }

    /// Keeps the stream going while a node drains, as the shell does, until the node has drained or `span` is over.
    private func drain(_ node: RelayNode, in tree: inout Tree, within span: TimeSpan) -> Bool {
        let deadline = tree.bench.now + span
        while tree.bench.now < deadline {
            if node.drain(at: tree.bench.now) { return true }
            tree.stream(for: .milliseconds(100))
        }
        return false
    }

    @Test("Children join another parent while the node still sends, then leave it: nothing is lost, late or repaired")
    func makeBeforeBreak() throws {
        var tree = try running(sets: 2)
        let repaired = tree.edge.counters[.repaired]
        #expect(drain(tree.sets[0], in: &tree, within: .seconds(2)))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(!tree.sets[0].isReady)
        tree.sets[0].close(at: tree.bench.now)
        tree.stream(for: .milliseconds(50))
        tree.bench.remove(tree.sets[0])
        tree.stream(for: .seconds(2))
        #expect(tree.isGapless)
        #expect(tree.sink.lost == 0)
        #expect(tree.edge.counters[.repaired] == repaired)
        #expect(UInt64(tree.numbers.count) + 20 > tree.count)
    }

    @Test("A lost message is repeated")
    func lostMessage() throws {
        var tree = try running(sets: 2)
        var lost = 0
        tree.bench.loses = { datagram in
            guard datagram.from == Tree.setEndpoint(0), datagram.type == 0x20, lost < 2 else { return false }
            lost += 1
            return true
        }
        #expect(drain(tree.sets[0], in: &tree, within: .seconds(2)))
        #expect(tree.parent == Tree.setEndpoint(1))
        #expect(tree.isGapless)
    }

    @Test("A child without another parent is served until the end; new children are refused")
    func noOther() throws {
        var tree = try running(sets: 1)
        let before = tree.sink.payloads.count
        #expect(!drain(tree.sets[0], in: &tree, within: .seconds(1)))
        #expect(tree.sink.payloads.count > before + 190)
        #expect(tree.isGapless)
        let other = Bench.Sink()
        let edge = tree.bench.add("other", .edge, 101, region: RegionID(1283), sink: other)
        edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(500))
        #expect(other.payloads.isEmpty)
        #expect(tree.sets[0].counters[.subscribesRefusedBusy] > 0)
    }

    @Test("The node's last messages end its links at once, on both sides")
    func close() throws {
        var tree = try running(sets: 1)
        #expect(tree.sets[0].snapshot.childLinks == 1)
        tree.edge.close(at: tree.bench.now)
        tree.stream(for: .milliseconds(20))
        #expect(tree.sets[0].snapshot.childLinks == 0)
    }
}
