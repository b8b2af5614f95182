import ReflectorModel

/// Receive coalescing decides when a loop sleeps briefly so that more datagrams arrive before it reads them. A wake-up
/// costs several times as much as a datagram, so under moderate load this halves the work. Sparse datagrams are never
/// delayed, and under full load they coalesce without a sleep. If a sleep collects nothing, as with one client that
/// waits for each answer, the loop stops sleeping for a while.
struct ReceiveCoalescing {
    /// Number of wake-ups without a sleep after a sleep that collected nothing.
    static let barredWakeups = 64

    /// How long to sleep.
    let span: TimeSpan
    private var workEnded = MonotonicInstant(nanoseconds: -1 << 62)
    private var isBusy = false
    private var barred = 0
    private var hasSlept = false

    init(span: TimeSpan) { self.span = span }

    /// Called before the loop waits: true if it should sleep for `span` first.
    mutating func beginsWithSleep(nextTimer: MonotonicInstant?) -> Bool {
        hasSlept = isBusy && barred == 0 && nextTimer.map { $0 - workEnded > span } ?? true
        if barred > 0 { barred -= 1 }
        return hasSlept
    }

    /// Called at the end of a wake-up.
    /// - Parameters:
    ///   - start: when the loop found an event, or woke for another reason.
    ///   - datagrams: number of datagrams received in the wake-up.
    ///   - isBacklogged: more datagrams are waiting.
    mutating func ended(start: MonotonicInstant, end: MonotonicInstant, datagrams: UInt64, isBacklogged: Bool) {
        if hasSlept, datagrams <= 1 { barred = Self.barredWakeups }
        isBusy = datagrams > 0 && !isBacklogged && start - workEnded < span * 2
        workEnded = end
    }
}
