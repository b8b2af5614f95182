import ReflectorModel
import Testing

@testable import DatagramIO

@Suite("Receive coalescing")
struct ReceiveCoalescingTests {
    private static let span = TimeSpan.microseconds(100)

    /// Whether the loop slept before each of `count` wake-ups, which are `gap` microseconds apart.
    private func sleeps(
        _ count: Int, gap: Int64, datagrams: UInt64, isBacklogged: Bool = false, nextTimer: MonotonicInstant? = nil
    ) -> [Bool] {
        var policy = ReceiveCoalescing(span: Self.span)
        var now = MonotonicInstant(nanoseconds: 1_000_000_000)
        return (0..<count).map { _ in
            let hasSlept = policy.beginsWithSleep(nextTimer: nextTimer)
            now = now + .microseconds(gap)
            let end = now + .microseconds(5)
            policy.ended(start: now, end: end, datagrams: datagrams, isBacklogged: isBacklogged)
            now = end
            return hasSlept
        }
    }

    @Test("Frequent wake-ups cause sleeps; sparse ones, a backlog or a timer about to fire do not")
    func gathers() {
        #expect(sleeps(5, gap: 50, datagrams: 4) == [false, false, true, true, true])
        #expect(sleeps(5, gap: 500, datagrams: 4) == Array(repeating: false, count: 5))
        #expect(sleeps(5, gap: 50, datagrams: 64, isBacklogged: true) == Array(repeating: false, count: 5))
        let soon = MonotonicInstant(nanoseconds: 1_000_050_000)
        #expect(sleeps(5, gap: 50, datagrams: 4, nextTimer: soon) == Array(repeating: false, count: 5))
    }

    @Test("If a sleep collects nothing, as with one client that waits for each answer, sleeping stops for a while")
    func givesUp() {
        let all = sleeps(200, gap: 50, datagrams: 1)
        #expect(all.filter { $0 }.count == 4)
        #expect(all.firstIndex(of: true) == 2)
        #expect(all[3...(2 + ReceiveCoalescing.barredWakeups)].allSatisfy { !$0 })
    }
}
