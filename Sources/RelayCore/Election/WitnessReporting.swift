import ReflectorModel
import RelayWire

/// What a witness has told one entrypoint, or one name server. It reports to an entrypoint again when its view changes, or when the entrypoint's heartbeat
/// shows that the report did not arrive completely.
struct WitnessReporting {
    private(set) var version: UInt64 = 0
    private var digest: UInt64 = 0
    private var sentAt = MonotonicInstant(nanoseconds: .min / 2)
    /// The entrypoint's last heartbeat named another version.
    private(set) var isMissed = false

    /// Towards a name server: the place of the next lead to report.
    private var leadCursor = 0

    /// Minimum time between two reports on one link.
    private static let spacing: TimeSpan = .milliseconds(50)
    /// Minimum time before the same report is sent again.
    private static let repeatSpacing: TimeSpan = .milliseconds(200)

    /// The entrypoint says which version it holds.
    mutating func noteHeld(_ version: UInt64) { isMissed = version != self.version }

    /// The pages to send now; empty if none are due. `isOwed` is true if the report must be sent later.
    mutating func due(_ entries: [WitnessReport.Entry], at now: MonotonicInstant) -> (
        pages: [WitnessReport], isOwed: Bool
    ) {
        let digest = entries.reduce(UInt64(1)) { digest, entry in
            let verdict = FixedHash.combine(entry.leader?.rawValue ?? 0, entry.hasSubscribers ? 1 : 0)
            return FixedHash.combine(FixedHash.combine(digest, NodeID(name: entry.stream.text).rawValue), verdict)
        }
        let isOther = digest != self.digest
        guard isOther || isMissed else { return ([], false) }
        guard now - sentAt >= (isOther ? Self.spacing : Self.repeatSpacing) else { return ([], true) }
        if isOther {
            version += 1
            self.digest = digest
        }
        sentAt = now
        isMissed = false
        return (WitnessReport.pages(version: version, of: entries), false)
    }

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
