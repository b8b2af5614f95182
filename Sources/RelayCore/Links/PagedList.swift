import ReflectorModel
import RelayWire

/// An entry of a list that comes in pages.
protocol PagedEntry {
    var stream: StreamName { get }
    /// The list says nothing about the stream any more.
    var isWithdrawn: Bool { get }
}

extension WitnessReport.Entry: PagedEntry {}
extension RegionReport.Entry: PagedEntry {}

/// The newest complete list that a peer has told in pages (`PageHeader`), and the pages so far of the next one.
struct PagedList<Entry: PagedEntry> {
    /// What became of a page.
    enum Outcome: Equatable {
        /// Old, or more pages must follow.
        case incomplete
        case changed
        /// The list is larger than any that an honest peer sends.
        case tooLarge
    }

    /// The version of the list held; 0 if none.
    private(set) var version: UInt64 = 0
    private var entries: [StreamName: Entry] = [:]
    /// The pages so far of a newer version, by their numbers.
    private var incoming: [UInt16: [Entry]] = [:]
    /// One of these pages.
    private var incomingHeader = PageHeader(version: 0)
    private var incomingCount = 0

    subscript(_ stream: StreamName) -> Entry? { entries[stream] }

    /// The streams in the list, sorted.
    var streams: [StreamName] { entries.keys.sorted() }

    /// Takes a page. The pages of a version may arrive in any order, and again. A list of what has changed since a
    /// version that is not held is of no use.
    ///
    /// - Parameter countMax: maximum number of entries of a list.
    mutating func take(_ header: PageHeader, _ page: [Entry], countMax: Int) -> Outcome {
        guard header.version > version, header.version >= incomingHeader.version, header.base <= version else {
            return .incomplete
        }
        // The same version comes with another base when the peer repeats it.
        if header.version > incomingHeader.version || header.base != incomingHeader.base {
            dropIncoming()
            incomingHeader = header
        }
        guard incoming[header.page] == nil else { return .incomplete }
        incomingCount += page.count
        // Only the last page may be short, so a list of many short pages is not honest either.
        guard incomingCount <= countMax, Int(header.pages) <= countMax / Self.entriesPerPageMin + 1 else {
            dropIncoming()
            return .tooLarge
        }
        incoming[header.page] = page
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

    /// The peer may have begun to count again: its next list is taken whole. Until then the present entries stay.
    mutating func restart() {
        version = 0
        dropIncoming()
    }

    private mutating func dropIncoming() {
        (incoming, incomingCount) = ([:], 0)
        incomingHeader = PageHeader(version: 0)
    }

    /// At least this many entries fit into a page, even with the longest names.
    private static var entriesPerPageMin: Int { 4 }
}
