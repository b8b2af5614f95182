import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Election of a stream's entrypoint by one witness")
struct StreamElectionTests {
    private let rules: ElectionRules = {
        var rules = ElectionRules()
        rules.startGrace = .milliseconds(750)
        return rules
    }()
    private let start = MonotonicInstant.zero + .seconds(100)
    private let first = NodeID(1)
    private let second = NodeID(2)
    private let third = NodeID(3)

    private func candidates(_ live: NodeID...) -> [StreamElection.Candidate] {
        [first, second, third].map { StreamElection.Candidate(node: $0, isLive: live.contains($0)) }
    }

    private func evaluate(
        _ election: inout StreamElection, _ candidates: [StreamElection.Candidate], pinned: NodeID? = nil,
        after span: TimeSpan
    ) -> Bool {
        election.evaluate(candidates, pinned: pinned, rules, at: start + span)
    }

    private func led(by live: NodeID...) -> StreamElection {
        var election = StreamElection(at: start)
        _ = election.evaluate(
            [first, second, third].map { StreamElection.Candidate(node: $0, isLive: live.contains($0)) }, pinned: nil,
            rules, at: start + .seconds(1))
        return election
    }

    @Test("The first live candidate in the zone's order leads; the first of all needs no grace")
    func firstLeads() {
        var election = StreamElection(at: start)
        #expect(evaluate(&election, candidates(first, second), after: .zero))
        #expect(election.leader == first)
        #expect(election.cause == .first)
    }

    @Test("Right after the start, a backup does not lead before the first candidate had time to announce")
    func startGrace() {
        var election = StreamElection(at: start)
        #expect(!evaluate(&election, candidates(second), after: .milliseconds(700)))
        #expect(evaluate(&election, candidates(second), after: .milliseconds(750)))
        #expect(election.leader == second)
    }

    @Test("A leader is replaced only when two evaluations at different times do not find it live")
    func twoEvaluations() {
        var election = led(by: first, second)
        #expect(!evaluate(&election, candidates(second), after: .seconds(2)))
        #expect(!evaluate(&election, candidates(second), after: .seconds(2) + .milliseconds(10)))
        #expect(election.leader == first)
        #expect(evaluate(&election, candidates(second), after: .seconds(2) + .milliseconds(50)))
        #expect(election.leader == second)
        #expect(election.cause == .lost)
    }

    @Test("A leader that is back between two evaluations stays")
    func hiccup() {
        var election = led(by: first, second)
        #expect(!evaluate(&election, candidates(second), after: .seconds(2)))
        #expect(!evaluate(&election, candidates(first, second), after: .seconds(2) + .milliseconds(50)))
        #expect(!evaluate(&election, candidates(second), after: .seconds(3)))
        #expect(election.leader == first)
    }

    @Test("Without a live candidate, the stream is orphaned; the next one to appear leads at once")
    func orphan() {
        var election = led(by: first)
        _ = evaluate(&election, candidates(), after: .seconds(2))
        #expect(evaluate(&election, candidates(), after: .seconds(3)))
        #expect(election.leader == nil)
        #expect(election.isOrphan(rules, at: start + .seconds(3)))
        #expect(evaluate(&election, candidates(third), after: .seconds(4)))
        #expect(election.leader == third)
    }

    @Test("A stream that nobody has led yet counts as orphaned only after three seconds")
    func neverLed() {
        var election = StreamElection(at: start)
        #expect(!evaluate(&election, candidates(), after: .seconds(2)))
        #expect(!election.isOrphan(rules, at: start + .seconds(2)))
        #expect(election.isOrphan(rules, at: start + .seconds(3)))
        #expect(election.nextEvaluation(rules, at: start + .seconds(2)) == start + .seconds(3))
    }

    @Test("A better candidate leads again after it has been live for ten seconds without a break")
    func failback() {
        var election = led(by: second)
        #expect(!evaluate(&election, candidates(first, second), after: .seconds(10)))
        #expect(!evaluate(&election, candidates(second), after: .seconds(15)))
        #expect(!evaluate(&election, candidates(first, second), after: .seconds(16)))
        #expect(!evaluate(&election, candidates(first, second), after: .seconds(25)))
        #expect(election.nextEvaluation(rules, at: start + .seconds(25)) == start + .seconds(26))
        #expect(evaluate(&election, candidates(first, second), after: .seconds(26)))
        #expect(election.leader == first)
        #expect(election.cause == .returned)
    }

    @Test("A worse candidate never replaces a leader that is live")
    func worse() {
        var election = led(by: second)
        #expect(!evaluate(&election, candidates(second, third), after: .seconds(100)))
        #expect(election.leader == second)
    }

    @Test("A pinned candidate leads at once, and as long as it is live")
    func pinned() {
        var election = led(by: first, third)
        #expect(evaluate(&election, candidates(first, third), pinned: third, after: .seconds(2)))
        #expect(election.leader == third)
        #expect(election.cause == .pinned)
        #expect(!evaluate(&election, candidates(first, third), pinned: third, after: .seconds(60)))
        _ = evaluate(&election, candidates(first), pinned: third, after: .seconds(61))
        #expect(evaluate(&election, candidates(first), pinned: third, after: .seconds(62)))
        #expect(election.leader == first)
    }

    @Test("A leader that the zone no longer names is replaced")
    func removed() {
        var election = led(by: first, second)
        let left = [StreamElection.Candidate(node: second, isLive: true)]
        _ = evaluate(&election, left, after: .seconds(2))
        #expect(evaluate(&election, left, after: .seconds(3)))
        #expect(election.leader == second)
    }
}

@Suite("When an entrypoint pulls a stream")
struct PullDecisionTests {
    private let rules = ElectionRules()
    private let start = MonotonicInstant.zero + .seconds(100)
    private let cold = StreamPolicy(isPull: true)
    private let many = StreamPolicy(isPull: true, pullers: .many)

    private func votes(
        of configured: Int, heard: Int, orphaned: Int = 0, subscribers: Int = 0, leaders: [Int] = []
    ) -> PullDecision.Votes {
        PullDecision.Votes(
            configured: configured, heard: heard, orphaned: orphaned, orphanedWithSubscribers: subscribers,
            leaders: leaders)
    }

    private func decide(
        _ decision: inout PullDecision, rank: Int?, _ votes: PullDecision.Votes, by policy: StreamPolicy? = nil,
        isLive: Bool = false, after span: TimeSpan = .zero
    ) -> Bool {
        _ = decision.decide(rank: rank, policy ?? cold, votes, isLive: isLive, rules, at: start + span)
        return decision.isPulling
    }

    @Test("The first candidate pulls without any vote; a host that is no candidate never does")
    func firstCandidate() {
        var decision = PullDecision()
        #expect(decide(&decision, rank: 1, votes(of: 3, heard: 0)))
        #expect(!decide(&decision, rank: nil, votes(of: 3, heard: 3, orphaned: 3)))
    }

    @Test("With a warm standby, every candidate pulls")
    func warm() {
        var decision = PullDecision()
        #expect(decide(&decision, rank: 3, votes(of: 3, heard: 0), by: StreamPolicy(isPull: true, standby: .warm)))
    }

    @Test(
        "The second begins on the word of a majority of the witnesses in the zone, or of all of two or more that it hears",
        arguments: [
            (3, 3, 1, false), (3, 3, 2, true), (5, 2, 2, true), (5, 2, 1, false), (3, 1, 1, false), (1, 1, 1, true),
        ])
    func majority(configured: Int, heard: Int, orphaned: Int, begins: Bool) {
        var decision = PullDecision()
        #expect(decide(&decision, rank: 2, votes(of: configured, heard: heard, orphaned: orphaned)) == begins)
    }

    @Test("With many pullers, one witness that has subscribers suffices")
    func manyPullers() {
        var decision = PullDecision()
        #expect(!decide(&decision, rank: 2, votes(of: 5, heard: 5, orphaned: 1), by: many))
        #expect(decide(&decision, rank: 2, votes(of: 5, heard: 5, orphaned: 1, subscribers: 1), by: many))
    }

    @Test("The third waits for a second, and does not begin if the second leads by then")
    func third() {
        var decision = PullDecision()
        let orphaned = votes(of: 3, heard: 3, orphaned: 3)
        #expect(!decide(&decision, rank: 3, orphaned))
        #expect(!decide(&decision, rank: 3, orphaned, after: .milliseconds(900)))
        #expect(!decide(&decision, rank: 3, votes(of: 3, heard: 3, leaders: [2, 2, 2]), after: .milliseconds(950)))
        #expect(!decide(&decision, rank: 3, orphaned, after: .seconds(2)))
        #expect(decide(&decision, rank: 3, orphaned, after: .seconds(3)))
    }

    @Test("A backup stops when more than half of the witnesses name a better candidate")
    func standsDown() {
        var decision = PullDecision()
        #expect(decide(&decision, rank: 2, votes(of: 3, heard: 3, orphaned: 3)))
        #expect(decide(&decision, rank: 2, votes(of: 3, heard: 3, leaders: [2, 2, 1]), isLive: true))
        #expect(decide(&decision, rank: 2, votes(of: 3, heard: 3, leaders: [3, 3, 3]), isLive: true))
        #expect(!decide(&decision, rank: 2, votes(of: 3, heard: 3, leaders: [2, 1, 1]), isLive: true))
    }

    @Test("A backup without data stops for any other candidate that leads, also for a worse one")
    func givesWay() {
        var decision = PullDecision()
        #expect(decide(&decision, rank: 2, votes(of: 3, heard: 3, orphaned: 3)))
        #expect(!decide(&decision, rank: 2, votes(of: 3, heard: 3, leaders: [3, 3, 3]), isLive: false))
    }

    @Test("A backup that hears no witness any more goes on")
    func isolated() {
        var decision = PullDecision()
        #expect(decide(&decision, rank: 2, votes(of: 3, heard: 3, orphaned: 3)))
        #expect(decide(&decision, rank: 2, votes(of: 3, heard: 0), isLive: true, after: .seconds(60)))
    }
}
