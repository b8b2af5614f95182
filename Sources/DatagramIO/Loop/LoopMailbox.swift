import CDatagram
import Synchronization

/// Work for a loop from other threads: a bounded list under a lock, and an eventfd that wakes the loop.
final class LoopMailbox: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var waiting: [Work] = []
        var dropped: UInt64 = 0
        var closed = false
    }

    let event: Int32
    private let countMax: Int
    private let state = Mutex(State())

    init(countMax: Int) throws(DatagramError) {
        event = cdg_event_create()
        guard event >= 0 else { throw DatagramError(operation: "eventfd", code: -event, subject: "mailbox") }
        self.countMax = countMax
    }

    deinit { cdg_close(event) }

    /// Adds work for the loop. False if the loop has ended, or if `countMax` items are waiting already, which is
    /// counted.
    func put(_ work: @escaping Work) -> Bool {
        let (accepted, first) = state.withLock { state in
            guard !state.closed else { return (false, false) }
            guard state.waiting.count < countMax else {
                state.dropped &+= 1
                return (false, false)
            }
            state.waiting.append(work)
            return (true, state.waiting.count == 1)
        }
        if first { cdg_event_signal(event) }
        return accepted
    }

    func signal() { cdg_event_signal(event) }

    var dropped: UInt64 { state.withLock { $0.dropped } }

    /// Runs the work that is waiting now. Work added meanwhile runs in the next wake-up.
    func runWaiting() {
        cdg_event_clear(event)
        let work = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for piece in work { piece() }
    }

    /// Runs the work that is waiting and refuses any more, so that no accepted work is lost.
    func close() {
        let work = state.withLock { state in
            state.closed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for piece in work { piece() }
    }
}
