import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("The past of another source")
struct SplicePastTests {
    @Test("It comes at twice the pace that the child asks for, within the node's limit")
    func pace() throws {
        for (asked, most, normal, hastened) in [(32, 64, 32, 64), (48, 64, 48, 64), (8, 64, 8, 16), (0, 64, 0, 0)] {
            #expect(ChildSubscription.pace(UInt8(asked), isSplicing: false, most: UInt8(most)) == normal)
            #expect(ChildSubscription.pace(UInt8(asked), isSplicing: true, most: UInt8(most)) == hastened)
        }
    }

    /// The stream has 200 packets a second.
    @Test(
        "It begins half a second before the child's silence did, at most 2 s ago",
        arguments: [(0, 100), (300, 160), (1_000, 300), (1_500, 400), (60_000, 400), (65_535, 400)])
    func length(silent: Int, packets: Int) throws {
        let built = Tree(sets: 1)
        var tree = try #require(built)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(4))
        let child = HostilePeer("child", .edge, at: Bench.endpoint(66), of: tree.sets[0], tree.bench)
        #expect(child.open())
        let highest = try #require(tree.sets[0].core.streams[tree.stream]?.incarnation?.index.highest)
        child.subscribe(
            tree.stream, 1, .resume(IncarnationTag(1), SequenceNumber(7)), silent: UInt16(clamping: silent))
        let link = try #require(tree.sets[0].core.links.children.all.first { $0.name == "child" })
        let subscription = try #require(link.ordered.first)
        #expect(abs(Int(highest) - Int(subscription.from) - packets) <= 6)
    }

    @Test("A node tells its new parent how long it has got no packet; one that has just changed its source does not")
    func silence() throws {
        let built = Tree(sets: 1)
        var tree = try #require(built)
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let stream = try #require(tree.edge.core.streams[tree.stream])
        func silence(after span: TimeSpan) -> UInt16 {
            tree.edge.fetcher.silence(of: stream, at: tree.bench.now + span)
        }
        #expect((295...350).contains(silence(after: .milliseconds(300))))
        #expect(silence(after: .seconds(600)) == .max)

        stream.arrivals.noteAdopted(at: tree.bench.now)
        tree.stream(for: .seconds(1))
        #expect(silence(after: .milliseconds(300)) == .max)
        tree.stream(for: .seconds(2))
        #expect((295...350).contains(silence(after: .milliseconds(300))))
    }
}
