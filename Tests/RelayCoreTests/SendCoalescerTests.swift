import ReflectorModel
import Testing

@testable import RelayCore

@Suite("When queued packets leave")
struct SendCoalescerTests {
    private let interval = TimeSpan.microseconds(700)

    /// The waiting times of packets that come every `spacing`.
    private func waits(spacing: TimeSpan, count: Int, atOnce: Int = 1) -> [TimeSpan] {
        var coalescer = SendCoalescer(interval: interval)
        var now = MonotonicInstant(nanoseconds: 1_000_000_000)
        return (0..<count).map { _ in
            now = now + spacing
            for _ in 0..<atOnce { coalescer.note(at: now) }
            return coalescer.due(at: now) - now
        }
    }

    @Test("a stream of 1,000 packets a second is forwarded at once, packet by packet")
    func singlePackets() {
        #expect(waits(spacing: .milliseconds(1), count: 100).allSatisfy { $0 == .zero })
    }

    @Test("a burst that comes at once leaves at once, whatever its length")
    func bursts() {
        #expect(waits(spacing: .milliseconds(16), count: 20, atOnce: 64).allSatisfy { $0 == .zero })
    }

    @Test("at 20,000 a second, packets wait for at most the interval to be sent together; at low rates they do not")
    func gathering() {
        var coalescer = SendCoalescer(interval: interval)
        var now = MonotonicInstant(nanoseconds: 1_000_000_000)
        for _ in 0..<100 {
            now = now + .microseconds(50)
            coalescer.note(at: now)
        }
        #expect(coalescer.due(at: now) == now + interval)
        now = now + .milliseconds(10)
        coalescer.note(at: now)
        #expect(coalescer.due(at: now) == now)
    }
}
