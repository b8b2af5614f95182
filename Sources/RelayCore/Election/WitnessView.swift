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
    /// The pages so far of a newer version, by their numbers.
    private var incoming: [UInt16: [WitnessReport.Entry]] = [:]
    /// One of these pages.
    private var incomingHeader = PageHeader(version: 0)
    private var incomingCount = 0
    /// The witness answered a heartbeat and said that it votes, at that time.
    private var votedAt: MonotonicInstant?

    subscript(_ stream: StreamName) -> WitnessReport.Entry? { entries[stream] }

    mutating func noteReply(isVoting: Bool, at now: MonotonicInstant) { votedAt = isVoting ? now : nil }

    /// Whether its report counts as a vote.
    func isVoting(_ silenceMax: TimeSpan, at now: MonotonicInstant) -> Bool {
        votedAt.map { now - $0 <= silenceMax } ?? false
    }

    /// Takes a page. The pages of a version may arrive in any order, and again. A report of what has changed since a
    /// version that is not held is of no use.
    ///
    /// - Parameter countMax: maximum number of entries of a report.
    mutating func take(_ page: WitnessReport, countMax: Int) -> Outcome {
        let header = page.header
        guard header.version > version, header.version >= incomingHeader.version, header.base <= version else {
            return .incomplete
        }
        // The same version comes with another base when the witness repeats it.
        if header.version > incomingHeader.version || header.base != incomingHeader.base {
            dropIncoming()
            incomingHeader = header
        }
        guard incoming[header.page] == nil else { return .incomplete }
        incomingCount += page.entries.count
        // Only the last page may be short, so a report of many short pages is not honest either.
        guard incomingCount <= countMax, Int(header.pages) <= countMax / Self.entriesPerPageMin + 1 else {
            dropIncoming()
            return .tooLarge
        }
        incoming[header.page] = page.entries
        guard incoming.count == Int(header.pages) else { return .incomplete }
        if !header.isPartial { entries = [:] }
        // In the order of the pages, so that of two entries for one stream the last one counts everywhere.
        for number in 0..<header.pages {
            for entry in incoming[number] ?? [] { entries[entry.stream] = entry.isWithdrawn ? nil : entry }
        }
        version = header.version
        dropIncoming()
        guard entries.count <= countMax else {
            (entries, version) = ([:], 0)
            return .tooLarge
        }
        return .changed
    }

    private mutating func dropIncoming() {
        (incoming, incomingCount) = ([:], 0)
        incomingHeader = PageHeader(version: 0)
    }

    /// At least this many entries fit into a page, even with the longest names.
    private static let entriesPerPageMin = 4
}
