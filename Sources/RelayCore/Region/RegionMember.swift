import ReflectorModel
import RelayWire

/// Another member of the region, as this one sees it: what it last reported, and whether it is alive.
///
/// ```
/// down ──a report──▶ up ──3 reports missed, Close of one that leaves, its host refuses──▶ down
/// ```
struct RegionMember {
    let name: String
    let node: NodeID
    let endpoint: Endpoint

    private(set) var isUp = false
    /// It is about to stop.
    private(set) var isLeaving = false
    private(set) var isSettled = false
    /// It takes streams from groups of the LAN.
    private(set) var isOnLAN = false
    /// No parent outside answered it a short time ago, or it slept.
    private(set) var isCutOff = false
    /// The last report; nil before the first.
    private(set) var heardAt: MonotonicInstant?
    /// What it says about streams.
    private(set) var list = PagedList<RegionReport.Entry>()
    /// The version of our own list that it holds; 0 for none.
    private(set) var versionHeld: UInt64 = 0
    /// When it was last told anything, and which version.
    private(set) var toldAt = MonotonicInstant(nanoseconds: .min / 2)
    private(set) var versionTold: UInt64 = 0
    /// The token of the link on which it reports.
    private var token: UInt64 = 0

    init(_ neighbour: RegionNeighbour) {
        name = neighbour.name
        node = neighbour.id
        endpoint = neighbour.endpoint
    }

    /// Takes a report that came on the link with this token. True if it says anything new.
    mutating func take(
        _ report: RegionReport, token: UInt64, countMax: Int, at now: MonotonicInstant
    ) -> PagedList<RegionReport.Entry>.Outcome {
        if !isUp {
            // What it said before it was lost is not true any more.
            self.token = token
            list = PagedList()
        } else if token != self.token {
            // Perhaps its process is another one now, whose versions begin again.
            self.token = token
            list.restart()
        }
        let isNew =
            !isUp || isLeaving != report.isLeaving || isSettled != report.isSettled || isCutOff != report.isCutOff
        (isUp, isLeaving, isSettled, isCutOff) = (true, report.isLeaving, report.isSettled, report.isCutOff)
        isOnLAN = report.isOnLAN
        heardAt = now
        versionHeld = report.versionHeld
        guard let page = report.page else { return isNew ? .changed : .incomplete }
        let outcome = list.take(page.header, page.entries, countMax: countMax)
        return outcome == .incomplete && isNew ? .changed : outcome
    }

    /// When its silence proves that it is dead; nil if it is down.
    ///
    /// - Parameter judgeFrom: silence before this instant proves nothing.
    func deadline(_ silenceMax: TimeSpan, judgeFrom: MonotonicInstant) -> MonotonicInstant? {
        guard isUp, let heardAt else { return nil }
        return max(heardAt, judgeFrom) + silenceMax
    }

    /// It is dead. Its list does not count any more.
    mutating func noteDead() { isUp = false }

    mutating func noteTold(_ version: UInt64, at now: MonotonicInstant) { (versionTold, toldAt) = (version, now) }

    /// Whether it should be told something now.
    ///
    /// - Parameter newsAt: when anything besides the list last changed.
    func isDue(
        version: UInt64, newsAt: MonotonicInstant, _ rules: RegionRules, at now: MonotonicInstant
    ) -> Bool { now >= due(version: version, newsAt: newsAt, rules) }

    /// When it should be told something next.
    func due(version: UInt64, newsAt: MonotonicInstant, _ rules: RegionRules) -> MonotonicInstant {
        if versionTold != version || toldAt < newsAt { return toldAt + rules.reportSpacing }
        return toldAt + (versionHeld == version ? rules.reportInterval : rules.repeatAfter)
    }
}
