import Testing

@testable import RelayCore

@Suite("Backlog at the rate that a child requests")
struct BacklogTests {
    @Test("a rate of 0 does no harm: the child gets only the burst at the start")
    func rateOfZero() throws {
        var tree = try #require(Tree(sets: 1) { $0.backlogSixteenths = 0 })
        tree.stream(for: .milliseconds(300))
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        let first = tree.entrypoint.counters[.backlogSent]
        tree.stream(for: .seconds(1))
        #expect(tree.entrypoint.counters[.backlogSent] == first)
        #expect(first > 0 && first <= 16, "\(first)")
    }
}
