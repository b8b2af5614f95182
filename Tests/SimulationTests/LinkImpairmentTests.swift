import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Link impairment")
struct LinkImpairmentTests {
    private func options(_ change: (inout ImpairmentOptions) -> Void) -> ImpairmentOptions {
        var options = ImpairmentOptions()
        change(&options)
        return options
    }

    @Test(
        "loss rate and mean burst are as configured, over a million datagrams",
        arguments: [(0.02, 3.0), (0.1, 1.5), (0.3, 10.0), (0.001, 2.0)])
    func packetDriven(loss: Double, burst: Double) {
        var link = LinkImpairment(
            options {
                $0.loss = loss
                $0.episode = .datagrams(burst)
            }, seed: 7)
        for index in 0..<1_000_000 {
            _ = link.admit(bytes: 1316, at: MonotonicInstant(nanoseconds: Int64(index) * 1000))
        }
        let rate = Double(link.counts.lost) / Double(link.counts.offered)
        let mean = Double(link.counts.lost) / Double(link.counts.lossRuns)
        // Four standard errors: a run of losses is one draw, with a standard deviation about as large as its mean.
        let tolerance = 4 * (2 / (1_000_000 * loss / burst)).squareRoot()
        #expect(abs(rate / loss - 1) < tolerance)
        #expect(abs(mean / burst - 1) < tolerance)
    }

    @Test("independent losses have a mean burst of 1/(1 − loss), like coin tosses")
    func independent() {
        var link = LinkImpairment(options { $0.loss = 0.25 }, seed: 3)
        for _ in 0..<1_000_000 { _ = link.admit(bytes: 100, at: .zero) }
        #expect(abs(Double(link.counts.lost) / 1_000_000 - 0.25) < 0.003)
        #expect(abs(Double(link.counts.lost) / Double(link.counts.lossRuns) - 1 / 0.75) < 0.01)
    }

    @Test(
        "bad periods driven by time last as long as configured, at any packet rate", arguments: [100, 1000] as [Int64])
    func timeDriven(microseconds: Int64) {
        var link = LinkImpairment(
            options {
                $0.loss = 0.05
                $0.episode = .time(.milliseconds(30))
            }, seed: 11)
        let count: Int64 = 2_000_000
        for index in 0..<count {
            _ = link.admit(bytes: 1316, at: .zero + .microseconds(index * microseconds))
        }
        let rate = Double(link.counts.lost) / Double(count)
        let period = Double(link.counts.lost) / Double(link.counts.lossRuns) * Double(microseconds) / 1000
        #expect(abs(rate / 0.05 - 1) < 0.15)
        #expect(abs(period / 30 - 1) < 0.15)
    }

    @Test("no datagram passes at 100 % loss, and every datagram at 0 %")
    func extremes() {
        var all = LinkImpairment(options { $0.loss = 1 }, seed: 1)
        var none = LinkImpairment(ImpairmentOptions(), seed: 1)
        let now = MonotonicInstant(nanoseconds: 5)
        for _ in 0..<1000 {
            #expect(all.admit(bytes: 1, at: now) == .dropped(.loss))
            #expect(none.admit(bytes: 1, at: now) == .departs(at: now, copyAt: nil))
        }
    }

    @Test("jitter spreads arrivals around the delay and keeps their order")
    func jitter() {
        var link = LinkImpairment(
            options {
                $0.delay = .milliseconds(20)
                $0.jitter = .milliseconds(5)
            }, seed: 2)
        var previous = MonotonicInstant.zero
        for index in 0..<10_000 as Range<Int64> {
            let now = MonotonicInstant.zero + .milliseconds(index)
            guard case .departs(let arrival, nil) = link.admit(bytes: 1, at: now) else {
                Issue.record("dropped")
                return
            }
            #expect(arrival >= previous)
            #expect((TimeSpan.milliseconds(15)...TimeSpan.milliseconds(25)).contains(arrival - now))
            previous = arrival
        }
    }

    @Test("held-back datagrams are overtaken and duplicated ones arrive twice, both as often as configured")
    func reorderAndDuplicate() {
        var link = LinkImpairment(
            options {
                $0.reorder = 0.1
                $0.duplicate = 0.05
            }, seed: 4)
        var overtaken = 0
        var latest = MonotonicInstant.zero
        var copies = 0
        for index in 0..<100_000 as Range<Int64> {
            guard case .departs(let at, let copy) = link.admit(bytes: 1, at: .zero + .microseconds(index * 100)) else {
                continue
            }
            if at < latest { overtaken += 1 }
            latest = max(latest, at)
            if copy != nil { copies += 1 }
        }
        #expect(overtaken > 10_000)
        #expect(abs(Double(link.counts.heldBack) - 10_000) < 400)
        #expect(abs(Double(copies) - 5_000) < 300)
    }

    @Test("the bottleneck forwards datagrams at its rate, queues the excess, and drops those that would wait too long")
    func rate() {
        var link = LinkImpairment(
            options {
                $0.bitsPerSecond = 10_000_000
                $0.queue = .milliseconds(100)
            }, seed: 5)
        // 20 Mbit/s are offered for one second: half of it passes, plus the queue of 100 ms.
        var passed: Int64 = 0
        var waitMax = TimeSpan.zero
        for index in 0..<2_000 as Range<Int64> {
            let now = MonotonicInstant.zero + .microseconds(index * 500)
            if case .departs(let at, _) = link.admit(bytes: 1250, at: now) {
                passed += 1
                waitMax = max(waitMax, at - now)
            }
        }
        #expect((1_099...1_103).contains(passed))
        #expect(waitMax <= .milliseconds(101))
        #expect(link.counts.queueFull == UInt64(2_000 - passed))
    }

    @Test("the same seed gives the same verdicts, another seed gives others")
    func seeded() {
        let bad = options {
            $0.loss = 0.1
            $0.jitter = .milliseconds(3)
            $0.duplicate = 0.1
        }
        func run(_ seed: UInt64) -> [LinkImpairment.Verdict] {
            var link = LinkImpairment(bad, seed: seed)
            return (0..<1_000 as Range<Int64>).map { link.admit(bytes: 9, at: .zero + .milliseconds($0)) }
        }
        #expect(run(1) == run(1))
        #expect(run(1) != run(2))
    }

    @Test("invalid options are reported")
    func problems() {
        let impossible = options {
            $0.loss = 0.9
            $0.episode = .datagrams(2)
            $0.reorder = 1.5
            $0.bitsPerSecond = 0
        }
        #expect(impossible.problems.count == 3)
        #expect(ImpairmentOptions().problems.isEmpty)
    }
}
