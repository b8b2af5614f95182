import ReflectorModel
import RelayWire

/// One stream's feed on the LAN, at the end of a member that fetches the stream from the feed's sender.
///
/// ```
/// listening ──the feed has caught up──▶ used ──silent, lossy──▶ barred ──some time──▶ listening
/// ```
///
/// While it is not used, the stream comes by the link, as without a LAN, and the feed only shows whether it arrives.
struct LanIntake {
    let place: LanFeed.Place
    /// Which numbers of the feed have arrived.
    private(set) var window = LinkNumberWindow()
    private(set) var reordering = ReorderTolerance()
    /// The stream comes by the feed: the parent sends on the link what it is asked for, and nothing else.
    private(set) var isUsed = false
    private var hasBegun = false
    /// Packets that have arrived since the feed was last silent or barred.
    private var heard = 0
    private var heardAt = MonotonicInstant.zero
    /// Numbers in a row that were too far from the newest one to be recorded.
    private var strays = 0
    private var usedAt = MonotonicInstant.zero
    private var barredUntil = MonotonicInstant.zero
    private var bars = 0
    /// The window's totals when loss was last judged.
    private var judged = (sent: UInt64(0), arrived: UInt64(0))
    private var judgedAt = MonotonicInstant.zero

    init(_ place: LanFeed.Place) { self.place = place }

    /// This many packets show that the feed arrives.
    private static let heardMin = 8
    /// After this long without a packet, it must show that again.
    private static let silenceMax = TimeSpan.seconds(3)
    /// A feed in use that brings nothing for this long is given up. What is missing comes by the link meanwhile.
    private static let patience = TimeSpan.milliseconds(400)
    /// A feed that loses a larger share is worse than a copy of one's own.
    private static let lossMax = 0.2
    private static let judgeInterval = TimeSpan.seconds(1)
    /// How long a feed that failed is not used; the time doubles with each further failure.
    private static let bar = TimeSpan.seconds(2)
    private static let barsMax = 4
    /// After this many strays in a row, the sender has restarted its numbers.
    private static let straysMax = 32

    /// Notes the number of a verified packet. Returns how far below the newest it was; nil for a duplicate.
    mutating func note(_ number: UInt32, at now: MonotonicInstant) -> UInt32? {
        if now - heardAt > Self.silenceMax { heard = 0 }
        heard = min(heard + 1, 1 << 20)
        heardAt = now
        if !hasBegun || window.isFar(number) {
            strays += 1
            if !hasBegun || strays >= Self.straysMax { begin(at: number) }
        } else {
            strays = 0
        }
        return window.note(number)
    }

    private mutating func begin(at number: UInt32) {
        hasBegun = true
        strays = 0
        window = LinkNumberWindow(before: number)
        judged = (0, 0)
    }

    mutating func noteReordering(behind: UInt32, late: TimeSpan, at now: MonotonicInstant) {
        reordering.note(behind: behind, late: late, at: now)
    }

    /// Whether the feed may be used now.
    func isReady(at now: MonotonicInstant) -> Bool { !isUsed && heard >= Self.heardMin && now >= barredUntil }

    mutating func use(at now: MonotonicInstant) {
        isUsed = true
        usedAt = now
        judged = (window.sent, window.arrived)
        judgedAt = now
    }

    /// Returns to the link.
    mutating func rest() { isUsed = false }

    /// The feed has failed: the stream comes by the link for a while.
    mutating func fail(at now: MonotonicInstant) {
        isUsed = false
        heard = 0
        barredUntil = now + Self.bar * Int64(1 << bars)
        bars = min(bars + 1, Self.barsMax)
    }

    /// Whether the feed brings nothing although its sender says that it has sent more.
    func isSilent(at now: MonotonicInstant) -> Bool { isUsed && now - max(heardAt, usedAt) >= Self.patience }

    /// Whether the feed has lost too much since this was last asked.
    mutating func isLossy(at now: MonotonicInstant) -> Bool {
        guard isUsed, now - judgedAt >= Self.judgeInterval else { return false }
        let sent = window.sent - min(judged.sent, window.sent)
        let arrived = window.arrived - min(judged.arrived, window.arrived)
        judged = (window.sent, window.arrived)
        judgedAt = now
        guard sent >= 20 else { return false }
        if arrived == sent, bars > 0 { bars -= 1 }
        return Double(sent - min(arrived, sent)) > Double(sent) * Self.lossMax
    }
}
