import DatagramIO
import ReflectorModel
import RelayService
import Synchronization

/// The output at one receiver: numbers, delays and gaps. For use from any thread.
final class DeliveryMeter: Sendable {
    /// Delays are counted in steps of this, up to `delayStepsMax`.
    static let delayStep = TimeSpan.microseconds(20)
    private static let delayStepsMax = 100_000

    private struct State {
        var seen: [Bool] = []
        var first: UInt64 = 0
        var highest: UInt64 = 0
        var duplicates: UInt64 = 0
        var outOfOrder: UInt64 = 0
        var delays = [UInt64](repeating: 0, count: DeliveryMeter.delayStepsMax)
        var lastArrival: MonotonicInstant?
        var gapMax = TimeSpan.zero
    }

    private let state = Mutex(State())

    /// Records the arrival of a payload of a `NumberedFeed`.
    func note(_ payload: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        guard payload.count == NumberedFeed.payloadLength else { return }
        let number = payload.loadUnaligned(fromByteOffset: NumberedFeed.numberOffset, as: UInt64.self)
        let sent = MonotonicInstant(
            nanoseconds: payload.loadUnaligned(fromByteOffset: NumberedFeed.timeOffset, as: Int64.self))
        guard number > 0, number < 1 << 24 else { return }
        state.withLock { state in
            if state.seen.count <= Int(number) {
                state.seen.append(contentsOf: Array(repeating: false, count: Int(number) + 4_096 - state.seen.count))
            }
            guard !state.seen[Int(number)] else {
                state.duplicates += 1
                return
            }
            state.seen[Int(number)] = true
            if state.first == 0 { state.first = number }
            if number < state.highest { state.outOfOrder += 1 }
            state.highest = max(state.highest, number)
            let step = Int(max((now - sent).nanoseconds, 0) / Self.delayStep.nanoseconds)
            state.delays[min(step, Self.delayStepsMax - 1)] += 1
            if let last = state.lastArrival { state.gapMax = max(state.gapMax, now - last) }
            state.lastArrival = now
        }
    }

    /// Clears delays and gaps: the measurement starts here.
    func restart() {
        state.withLock { state in
            state.delays = [UInt64](repeating: 0, count: Self.delayStepsMax)
            state.gapMax = .zero
        }
    }

    /// First number that arrived; 0 before.
    var first: UInt64 { state.withLock { $0.first } }
    var highest: UInt64 { state.withLock { $0.highest } }
    var duplicates: UInt64 { state.withLock { $0.duplicates } }
    var outOfOrder: UInt64 { state.withLock { $0.outOfOrder } }
    var gapMax: TimeSpan { state.withLock { $0.gapMax } }

    /// Count of numbers in a range that never arrived.
    func missing(in numbers: ClosedRange<UInt64>) -> Int {
        state.withLock { state in
            numbers.count { $0 >= state.seen.count || !state.seen[Int($0)] }
        }
    }

    /// Count of packets that arrived later than this (under 2 s) after they were sent, since the last restart.
    func late(after span: TimeSpan) -> Int {
        let step = Int(span.nanoseconds / Self.delayStep.nanoseconds)
        return state.withLock { Int($0.delays.dropFirst(step).reduce(0, +)) }
    }

    /// Counts of packets by delay, one for each step; those of several receivers can be added.
    var delays: [UInt64] { state.withLock { $0.delays } }
}

extension DeliveryMeter: StreamReceiver {
    func deliver(_ payload: UnsafeRawBufferPointer, at now: MonotonicInstant) -> Bool {
        note(payload, at: DatagramLoop.now)
        return true
    }
}

/// An edge reflector's output into a meter for each stream.
struct MeterOutput: StreamOutput {
    let meters: [StreamName: DeliveryMeter]

    func receiver(of stream: StreamName) -> (any StreamReceiver)? { meters[stream] }
    func discontinuity(stream: StreamName, lost: UInt64) {}
    func ended(stream: StreamName) {}
    func unavailable(stream: StreamName, reason: String, isAbsence: Bool) {}
    func viewers(of stream: StreamName) -> Int { 1 }
}
