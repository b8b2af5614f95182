import ReflectorModel
import RelayWire

/// Detects from a node's reports whether its children see loss. A report gives the numbers of link packets that the
/// children received and missed; the loss is a median over the children (`ReportTotals`). During loss, the fraction of
/// its weight that the node keeps (its share) is halved step by step. Afterwards the share doubles only once a minute,
/// so that it does not flap.
struct LossMonitor: Sendable, Equatable {
    /// Full share, in sixteenths of the weight.
    static let shareMax: UInt8 = 16
    static let shareMin: UInt8 = 2
    /// Loss is measured over windows of at least this length, if they have at least `packetsMin` packets.
    static let window = TimeSpan.seconds(5)
    static let packetsMin: UInt64 = 500
    /// Ten million packets per second for 7,000 years: a larger number is implausible.
    static let plausibleMax: UInt64 = 1 << 61
    /// Loss above `badLoss` halves the share; below `goodLoss`, the share may rise. Between them nothing changes.
    static let badLoss = 0.05
    static let goodLoss = 0.01
    static let fallPause = TimeSpan.seconds(10)
    static let risePause = TimeSpan.seconds(60)

    private(set) var share = shareMax
    /// Loss smoothed over windows; nil before the first window with enough packets.
    private(set) var smoothed: Double?
    private var last: (received: UInt64, lost: UInt64, uptime: UInt64, at: MonotonicInstant)?
    private var changedAt: MonotonicInstant?

    mutating func take(_ report: ProbeReport, at now: MonotonicInstant) {
        guard let before = last, report.uptimeMilliseconds >= before.uptime, report.received >= before.received,
            max(report.received, report.lost) <= Self.plausibleMax
        else {
            // This is the first report, the first after a restart, or an implausible one.
            return begin(report, at: now)
        }
        guard now - before.at >= Self.window else { return }
        let received = report.received - before.received
        let lost = report.lost > before.lost ? report.lost - before.lost : 0
        begin(report, at: now)
        if received + lost >= Self.packetsMin {
            let loss = Double(lost) / Double(received + lost)
            smoothed = smoothed.map { 0.5 * $0 + 0.5 * loss } ?? loss
        } else if let old = smoothed {
            // The node has little traffic now: the measured loss decays.
            smoothed = old * 0.9
        }
        step(at: now)
    }

    private mutating func step(at now: MonotonicInstant) {
        guard let smoothed else { return }
        let pause = changedAt.map { now - $0 } ?? .seconds(86_400)
        if smoothed > Self.badLoss, share > Self.shareMin, pause >= Self.fallPause {
            share /= 2
            changedAt = now
        } else if smoothed < Self.goodLoss, share < Self.shareMax, pause >= Self.risePause {
            share *= 2
            changedAt = now
        }
    }

    private mutating func begin(_ report: ProbeReport, at now: MonotonicInstant) {
        last = (report.received, report.lost, report.uptimeMilliseconds, now)
    }

    static func == (a: LossMonitor, b: LossMonitor) -> Bool { a.share == b.share && a.smoothed == b.smoothed }
}
