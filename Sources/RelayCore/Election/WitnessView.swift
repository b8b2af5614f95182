import ReflectorModel
import RelayWire

/// What one witness has told this entrypoint: its newest complete report, and whether it counts as a vote now.
struct WitnessView {
    /// What became of a page.
    enum Outcome: Equatable {
        /// Old, or more pages must follow.
        case incomplete
        case changed
        /// The report is larger than any that an honest witness sends.
        case tooLarge
    }

    /// The version of the report held; 0 if none.
    private(set) var version: UInt64 = 0
    private var entries: [StreamName: WitnessReport.Entry] = [:]
    private var incoming: [UInt16: [WitnessReport.Entry]] = [:]
    private var incomingVersion: UInt64 = 0
    private var incomingCount = 0
    /// The witness answered a heartbeat and said that it votes, at that time.
    private var votedAt: MonotonicInstant?

    subscript(_ stream: StreamName) -> WitnessReport.Entry? { entries[stream] }

    mutating func noteReply(isVoting: Bool, at now: MonotonicInstant) { votedAt = isVoting ? now : nil }

    /// Whether its report counts as a vote.
    func isVoting(_ silenceMax: TimeSpan, at now: MonotonicInstant) -> Bool {
        votedAt.map { now - $0 <= silenceMax } ?? false
    }

    /// Takes a page. The pages of a version may arrive in any order, and again.
    ///
    /// - Parameter countMax: maximum number of entries of a report.
    mutating func take(_ page: WitnessReport, countMax: Int) -> Outcome {
        guard page.version > version, page.version >= incomingVersion else { return .incomplete }
        if page.version > incomingVersion {
            incoming = [:]
            incomingCount = 0
            incomingVersion = page.version
        }
        guard incoming[page.page] == nil else { return .incomplete }
        incomingCount += page.entries.count
        // Only the last page may be short, so a report of many short pages is not honest either.
        guard incomingCount <= countMax, Int(page.pages) <= countMax / Self.entriesPerPageMin + 1 else {
            incoming = [:]
            incomingCount = 0
            return .tooLarge
        }
        incoming[page.page] = page.entries
        guard incoming.count == Int(page.pages) else { return .incomplete }
        entries = [:]
        // In the order of the pages, so that of two entries for one stream the last one counts everywhere.
        for number in 0..<page.pages {
            for entry in incoming[number] ?? [] { entries[entry.stream] = entry }
        }
        version = page.version
        incoming = [:]
        incomingCount = 0
        return .changed
    }

    /// At least this many entries fit into a page, even with the longest names.
    private static let entriesPerPageMin = 4
}
