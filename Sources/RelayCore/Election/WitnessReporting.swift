import ReflectorModel
import RelayWire

/// What a witness has told one entrypoint, or one name server. It reports to an entrypoint what has changed, and again
/// when the entrypoint's heartbeat shows that it did not arrive.
struct WitnessReporting {
    private var list = VersionedList<WitnessReport.Entry>()
    /// The version that the entrypoint holds, by its last heartbeat; 0 for none.
    private var held: UInt64 = 0
    /// The last heartbeat named another version than the one sent.
    private var isMissed = false
    private var sentAt = MonotonicInstant(nanoseconds: .min / 2)

    /// Towards a name server: the place of the next lead to report.
    private var leadCursor = 0

    /// Minimum time between two reports on one link.
    private static let spacing: TimeSpan = .milliseconds(50)
    /// Minimum time before the same report is sent again.
    private static let repeatSpacing: TimeSpan = .milliseconds(200)

    /// The entrypoint says which version it holds.
    mutating func noteHeld(_ version: UInt64) {
        held = version
        isMissed = version != list.version
    }

    /// What to say about a stream; nil for nothing.
    mutating func set(_ entry: WitnessReport.Entry?, of stream: StreamName) { _ = list.set(entry, of: stream) }

    /// The pages to send now: what has changed since the version that the entrypoint holds or, if that is not known, the
    /// whole report. Empty if nothing is due.
    mutating func takeDue(at now: MonotonicInstant) -> [WitnessReport] {
        guard list.isChanged || isMissed else { return [] }
        guard now - sentAt >= (list.isChanged ? Self.spacing : Self.repeatSpacing) else { return [] }
        list.commit()
        sentAt = now
        isMissed = false
        let contents = list.contents(since: held, withdrawn: WitnessReport.Entry.withdrawn)
        return WitnessReport.pages(version: list.version, base: contents.base, of: contents.entries)
    }

    /// When a change must be sent that waits; nil if none does.
    var due: MonotonicInstant? { list.isChanged ? sentAt + Self.spacing : nil }

    /// The leads that fit into one report, beginning after those of the last report.
    mutating func takeTurn(of leads: [ProbeReport.Lead]) -> [ProbeReport.Lead] {
        guard !leads.isEmpty else { return [] }
        if leadCursor >= leads.count { leadCursor = 0 }
        let turned = Array(leads[leadCursor...] + leads[..<leadCursor])
        let count = ProbeReport.leadsInOneReport(turned[...])
        leadCursor = (leadCursor + count) % leads.count
        return Array(turned.prefix(count))
    }
}
