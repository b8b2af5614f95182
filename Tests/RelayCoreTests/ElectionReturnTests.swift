import ReflectorModel
import RelayWire
import Testing

@testable import RelayCore

@Suite("When a candidate leads again")
struct ElectionReturnTests {
    private static let first = NodeID(name: "ep-bos")
    private static let second = NodeID(name: "ep-nyc")
    private let rules: ElectionRules = {
        var rules = ElectionRules()
        rules.startGrace = .milliseconds(750)
        return rules
    }()

    private func live(_ node: NodeID, _ incarnation: UInt64 = 1) -> StreamElection.Candidate {
        StreamElection.Candidate(node: node, isLive: true, incarnation: Incarnation(high: 0, low: incarnation))
    }

    private func silent(_ node: NodeID) -> StreamElection.Candidate {
        StreamElection.Candidate(node: node, isLive: false)
    }

    private func lapsed(_ node: NodeID) -> StreamElection.Candidate {
        StreamElection.Candidate(
            node: node, isLive: false, isLapsed: true, incarnation: Incarnation(high: 0, low: 1))
    }

    /// Evaluates every 50 ms.
    private func run(
        _ election: inout StreamElection, _ candidates: [StreamElection.Candidate], _ milliseconds: Range<Int64>
    ) {
        for at in stride(from: milliseconds.lowerBound, to: milliseconds.upperBound, by: 50) {
            _ = election.evaluate(candidates, pinned: nil, rules, at: instant(at))
        }
    }

    /// An election that the second candidate leads after the first one was led for `led` milliseconds.
    private func lost(after led: Int64, to first: StreamElection.Candidate) -> StreamElection {
        var election = StreamElection(at: instant(0))
        run(&election, [live(Self.first), live(Self.second)], 0..<led)
        #expect(election.leader == Self.first)
        run(&election, [first, live(Self.second)], led..<led + 3_000)
        #expect(election.leader == Self.second)
        return election
    }

    @Test("A candidate that a witness only could not hear leads again after a second")
    func unheard() {
        var election = lost(after: 20_000, to: silent(Self.first))
        run(&election, [live(Self.first), live(Self.second)], 23_000..<24_000)
        #expect(election.leader == Self.second)
        run(&election, [live(Self.first), live(Self.second)], 24_000..<24_100)
        #expect(election.leader == Self.first)
        #expect(election.cause == .returned)
    }

    @Test("A candidate that has begun another incarnation, or whose encoder was lost, must be live for ten seconds")
    func interrupted() {
        for (state, incarnation) in [(silent(Self.first), UInt64(2)), (lapsed(Self.first), 1)] {
            var election = lost(after: 20_000, to: state)
            run(&election, [live(Self.first, incarnation), live(Self.second)], 23_000..<33_000)
            #expect(election.leader == Self.second)
            run(&election, [live(Self.first, incarnation), live(Self.second)], 33_000..<33_100)
            #expect(election.leader == Self.first)
        }
    }

    @Test("A candidate whose path fails again soon must be live twice as long each time, at most for ten seconds")
    func flapping() {
        var election = lost(after: 20_000, to: silent(Self.first))
        run(&election, [live(Self.first), live(Self.second)], 23_000..<24_100)
        #expect(election.leader == Self.first)
        var at: Int64 = 24_100
        for patience: Int64 in [2_000, 4_000, 8_000, 10_000, 1_000] {
            run(&election, [silent(Self.first), live(Self.second)], at..<at + 900)
            #expect(election.leader == Self.second)
            run(&election, [live(Self.first), live(Self.second)], at + 900..<at + 900 + patience)
            #expect(election.leader == Self.second)
            run(&election, [live(Self.first), live(Self.second)], at + 900 + patience..<at + 1_000 + patience)
            #expect(election.leader == Self.first)
            at += 1_000 + patience
        }
    }

    @Test("Of a stream with many pullers, a backup goes on pulling while one witness needs it")
    func manyPullers() {
        var decision = PullDecision()
        let policy = StreamPolicy(isPull: true, pullers: .many)
        func decide(_ votes: PullDecision.Votes, isLive: Bool, at milliseconds: Int64) -> Bool {
            _ = decision.decide(rank: 2, policy, votes, isLive: isLive, rules, at: instant(milliseconds))
            return decision.isPulling
        }
        // Four of five witnesses see that the first candidate leads; the fifth sees nobody and has subscribers.
        var votes = PullDecision.Votes(configured: 5, heard: 5, leaders: [1, 1, 1, 1])
        (votes.orphaned, votes.orphanedWithSubscribers) = (1, 1)
        #expect(decide(votes, isLive: false, at: 0))
        #expect(decide(votes, isLive: false, at: 100))
        // The fifth fetches from this node.
        votes = PullDecision.Votes(configured: 5, heard: 5, leaders: [1, 1, 1, 1, 2])
        #expect(decide(votes, isLive: true, at: 200))
        // It sees the first candidate again.
        votes = PullDecision.Votes(configured: 5, heard: 5, leaders: [1, 1, 1, 1, 1])
        #expect(!decide(votes, isLive: true, at: 300))
    }

    @Test("A parent that has shown that it can be reached need not be avoided")
    func forgiveness() {
        var history = ParentHistory(first: .seconds(2), most: .seconds(30))
        let endpoint = Bench.endpoint(1)
        history.fail(endpoint, at: instant(0))
        history.fail(endpoint, at: instant(100))
        #expect(history.isAvoided(endpoint, at: instant(200)))
        history.forgive(endpoint, at: instant(200))
        #expect(!history.isAvoided(endpoint, at: instant(200)))
        history.fail(endpoint, at: instant(300))
        #expect(history.isAvoided(endpoint, at: instant(300) + .milliseconds(7_900)))
        #expect(!history.isAvoided(endpoint, at: instant(300) + .milliseconds(8_000)))
    }

    @Test("A parent has failed again only if it was not well in between")
    func failuresInARow() {
        var history = ParentHistory(first: .seconds(2), most: .seconds(30))
        let endpoint = Bench.endpoint(1)
        history.fail(endpoint, at: instant(0))
        #expect(!history.hasFailedAgain(endpoint, at: instant(0)))
        history.wellNow(endpoint, at: instant(2_100))
        history.fail(endpoint, at: instant(3_000))
        #expect(history.isAvoided(endpoint, at: instant(3_000)))
        #expect(!history.hasFailedAgain(endpoint, at: instant(3_000)))
        history.fail(endpoint, at: instant(8_000))
        #expect(history.hasFailedAgain(endpoint, at: instant(8_000)))
    }
}
