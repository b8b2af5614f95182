import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Traces of links")
struct ImpairmentTraceTests {
    private func problems(_ text: String) -> [String] {
        do throws(ImpairmentTraceProblems) {
            _ = try ImpairmentTrace(text, file: "t")
            return []
        } catch {
            return error.lines
        }
    }

    @Test("Steps are read with comments, blanks and missing fields")
    func reads() throws {
        let trace = try ImpairmentTrace(
            "# weather\r\n\r\n0 0 - 20  # good\n 12.5\t30 5 20 4 8000\n22.5 2 30ms 60 - -\n60 loop\n", file: "t")
        #expect(trace.repeatsAfter == .seconds(60))
        #expect(trace.steps.map(\.at) == [.zero, .milliseconds(12_500), .milliseconds(22_500)])
        #expect(trace.steps.map(\.episode) == [.independent, .datagrams(5), .time(.milliseconds(30))])
        #expect(trace.steps.map(\.bitsPerSecond) == [nil, 8_000_000, nil])
        #expect(trace.steps[1].jitter == .milliseconds(4) && trace.steps[1].loss == 0.3)
        #expect(trace.steps[2].delay == .milliseconds(60) && trace.steps[2].jitter == .zero)
    }

    @Test("All problems are reported at once, with line and column")
    func allProblems() {
        let text = """
            0 0 - 20
            x 101 0.5
            0 10 - 20
            3 90 2 20
            4 5 - 20 1 0 7
            5 5 - abc
            6 loop 9
            """
        #expect(
            problems(text).map { String($0.split(separator: " ")[0]) } == [
                "t:2:1:", "t:2:10:", "t:3:1:", "t:4:6:", "t:5:14:", "t:5:12:", "t:6:7:", "t:7:8:",
            ], "\(problems(text))")
    }

    @Test(
        "A text without a valid trace is refused",
        arguments: ["", "# nothing\n", "5 loop\n", "0 0 - 0\n0 loop\n", "0 0 - 0\n1e-12 1 - 0\n", "0 nan - 0\n"])
    func refused(text: String) { #expect(problems(text).count == 1, "\(problems(text))") }

    @Test("No line may follow a loop, and a hostile file causes a bounded number of problems")
    func bounded() {
        #expect(problems("0 0 - 0\n1 loop\n2 0 - 0\n").first?.hasPrefix("t:3:1: 'loop' must be the last") == true)
        #expect(problems(String(repeating: "x\n", count: 10_000)).count == 100)
        #expect(problems(String(repeating: "\u{0}", count: 10_000)).allSatisfy { $0.count < 200 })
    }

    @Test(
        "At any instant the last step before it applies; a trace that repeats starts again and waits for its first step"
    )
    func steps() throws {
        let trace = try ImpairmentTrace("1 1 - 0\n2 2 - 0\n10 loop\n", file: "t")
        func loss(_ milliseconds: Int64) -> Double? { trace.step(at: .milliseconds(milliseconds)).step?.loss }
        #expect([0, 999, 1_000, 1_999, 2_000, 9_999].map(loss) == [nil, nil, 0.01, 0.01, 0.02, 0.02])
        #expect([10_000, 11_000, 12_000, 1_012_000].map(loss) == [0.02, 0.01, 0.02, 0.02])
        #expect(trace.step(at: .milliseconds(500)).until == .seconds(1))
        #expect(trace.step(at: .milliseconds(5_000)).until == .seconds(10))
        #expect(trace.step(at: .milliseconds(25_000)).until == .seconds(30))
        #expect(try ImpairmentTrace("0 0 - 0", file: "t").step(at: .seconds(5)).until == nil)
    }

    @Test("A link changes at the instant in its trace, counted from the origin")
    func replays() throws {
        let trace = try ImpairmentTrace("0 0 - 20\n5 100 - 20\n6 0 - 30 0 800\n10 loop\n", file: "t")
        let origin = MonotonicInstant(nanoseconds: 77_000_000_000)
        var link = LinkImpairment(ImpairmentOptions(), trace: trace, origin: origin, seed: 3)
        for millisecond in 0..<30_000 as Range<Int64> {
            let now = origin + .milliseconds(millisecond)
            let verdict = link.admit(bytes: 100, at: now)
            switch millisecond % 10_000 {
            case ..<5_000:
                #expect(verdict == .departs(at: now + .milliseconds(20), copyAt: nil) || millisecond % 10_000 < 130)
            case ..<6_000: #expect(verdict == .dropped(.loss))
            // The delay is 30 ms, and at 800 kbit/s the datagram takes one more millisecond.
            default: #expect(verdict == .departs(at: now + .milliseconds(31), copyAt: nil))
            }
        }
    }

    @Test("The same trace and seed give the same verdicts, and two runs of a line give the same digest")
    func deterministic() throws {
        let trace = try ImpairmentTrace("0 1 - 20 5\n1 20 3 10\n2 5 30ms 20 2 4000\n3 loop\n", file: "t")
        func verdicts(_ seed: UInt64) -> [LinkImpairment.Verdict] {
            var link = LinkImpairment(ImpairmentOptions(), trace: trace, seed: seed)
            return (0..<10_000 as Range<Int64>).map { link.admit(bytes: 1_316, at: .zero + .milliseconds($0)) }
        }
        #expect(verdicts(1) == verdicts(1))
        #expect(verdicts(1) != verdicts(2))
        func digest() throws -> UInt64 {
            var options = LineOptions()
            options.parents = 3
            options.packets = 3_000
            options.packetsPerSecond = 300
            options.lastHopTrace = trace
            options.accessTrace = trace
            return try #require(LineSimulation(options)).run().digest
        }
        #expect(try digest() == digest())
    }

    @Test("A loss on the access line hits all paths at the same time")
    func commonMode() throws {
        var options = LineOptions()
        options.parents = 2
        options.paths = 2
        options.packetsPerSecond = 500
        options.playOutDeadline = .milliseconds(100)
        options.lastHop.delay = .milliseconds(50)
        options.packets = 20_000
        func loss(isCommon: Bool) throws -> Double {
            var options = options
            var weather = ImpairmentOptions()
            weather.loss = 0.05
            weather.episode = .time(.milliseconds(20))
            if isCommon {
                options.access = weather
            } else {
                options.lastHop.loss = weather.loss
                options.lastHop.episode = weather.episode
            }
            return try #require(LineSimulation(options)).run().lossPercent
        }
        // The deadline is shorter than a round trip, so nothing is repaired: 5 % are lost on a common line, 5 % of 5 %
        // on two links.
        let (common, own) = try (loss(isCommon: true), loss(isCommon: false))
        #expect((3.5...7).contains(common), "\(common)")
        #expect(own < 1, "\(own)")
    }
}
