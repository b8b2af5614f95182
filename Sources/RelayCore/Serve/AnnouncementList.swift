import ReflectorModel
import RelayWire

/// The streams that one entrypoint announces to a set reflector: soft state of the entrypoint's link. An announcement
/// is only a claim: a set reflector follows it only where the zone agrees.
struct AnnouncementList {
    struct Item {
        var portset: PortsetID
        var incarnation: Incarnation
        var supply: StreamSupply
        /// The zone does not name the entrypoint as a candidate of this stream. This is counted once for each item.
        var isRefused = false

        init(_ entry: Announce.Entry) {
            (portset, incarnation, supply) = (entry.portset, entry.incarnation, entry.supply)
        }
    }

    /// What happened to a page.
    enum Outcome: Equatable {
        /// More pages must follow, or this was not the expected page.
        case incomplete
        /// The last missing page has arrived: the new list replaces the old one.
        case replaced
        /// The last missing page has arrived: these streams have changed.
        case changed([StreamName])
        /// The page tells what has changed since a version that is newer than the one held.
        case unusable
        /// There is no room. All pages of this version are dropped.
        case full
    }

    /// When the entrypoint last sent a page or a heartbeat. Read by `Fetcher`.
    private(set) var heardAt: MonotonicInstant = .zero
    /// The entrypoint's process is dead by all evidence, and nothing has come from it since.
    private(set) var isPresumedDead = false
    private(set) var version: UInt64 = 0
    private(set) var digest: UInt64 = 0
    private var items: [StreamName: Item] = [:]
    /// The entries of a new version of which not all pages have arrived yet.
    private var incoming: [Announce.Entry] = []
    /// The last page of that version.
    private var incomingHeader = PageHeader(version: 0)
    private var incomingPages = 0
    /// When the first page of that version arrived.
    private var incomingSince: MonotonicInstant = .zero
    /// The list is not requested before this, because the previous list did not fit or was dropped to make
    /// room.
    private(set) var pullNotBefore: MonotonicInstant = .zero
    /// The zone named this entrypoint as a candidate of one of its streams.
    private(set) var isConfirmed = false

    private static let pullPause: TimeSpan = .seconds(5)

    mutating func noteHeard(at now: MonotonicInstant) {
        heardAt = now
        isPresumedDead = false
    }

    /// The entrypoint's process is dead by all evidence.
    mutating func presumeDead() { isPresumedDead = true }

    /// The zone names the entrypoint as a candidate of one of its streams.
    mutating func confirm() { isConfirmed = true }

    subscript(_ stream: StreamName) -> Item? { items[stream] }
    /// The streams, sorted.
    var names: [StreamName] { items.keys.sorted() }
    var count: Int { items.count }
    /// Streams held in all, including those of an incomplete list.
    var held: Int { items.count + incoming.count }

    /// Takes one page; the list changes when all pages of a version have arrived.
    ///
    /// - Parameter room: how many more streams may be held.
    mutating func take(_ page: Announce, source: NodeID, room: Int, at now: MonotonicInstant)
        -> Outcome
    {
        let header = page.header
        if header.isPartial {
            guard header.base <= version else { return .unusable }
            guard header.version > version else { return .incomplete }
        }
        if header.version != incomingHeader.version || header.base != incomingHeader.base || header.page == 0 {
            dropIncoming()
            incomingHeader = header
            incomingSince = now
        }
        guard Int(header.page) == incomingPages else { return .incomplete }
        guard fits(page, room: room) else {
            dropIncoming()
            pullNotBefore = now + Self.pullPause
            return .full
        }
        incoming += page.entries
        incomingPages += 1
        guard incomingPages >= Int(header.pages) else { return .incomplete }
        if !header.isPartial {
            items = [:]
            digest = 0
        }
        for entry in incoming { set(entry, source: source) }
        let names = incoming.map(\.stream)
        version = header.version
        dropIncoming()
        return header.isPartial ? .changed(names) : .replaced
    }

    /// Streams that are held already need room only while the page waits for others of its version.
    private func fits(_ page: Announce, room: Int) -> Bool {
        guard page.header.isPartial else { return page.entries.count <= room }
        let new = page.entries.count { $0.supply != .withdrawn && items[$0.stream] == nil }
        return (new == 0 || new <= room) && page.entries.count <= room + items.count
    }

    private mutating func set(_ entry: Announce.Entry, source: NodeID) {
        if let old = items.removeValue(forKey: entry.stream) {
            digest = digest &- Self.digest(of: old, entry.stream, source: source)
        }
        guard entry.supply != .withdrawn else { return }
        items[entry.stream] = Item(entry)
        digest = digest &+ Self.digest(of: entry, source: source)
    }

    var isIncomplete: Bool { incomingPages > 0 }

    /// Forgets an incomplete list that is older than `patience`. True if there was one.
    mutating func expire(after patience: TimeSpan, at now: MonotonicInstant) -> Bool {
        guard incomingPages > 0, now - incomingSince >= patience else { return false }
        dropIncoming()
        return true
    }

    /// Forgets all streams, to make room for the lists of other entrypoints. The list is requested again after a pause.
    mutating func forget(at now: MonotonicInstant) {
        dropIncoming()
        items = [:]
        version = 0
        digest = 0
        pullNotBefore = now + Self.pullPause
    }

    /// Notes that the zone contradicts an announcement. True the first time.
    mutating func noteRefusal(of stream: StreamName) -> Bool {
        guard items[stream]?.isRefused == false else { return false }
        items[stream]?.isRefused = true
        return true
    }

    private mutating func dropIncoming() {
        incoming = []
        incomingHeader = PageHeader(version: 0)
        incomingPages = 0
    }

    static func digest(of entry: Announce.Entry, source: NodeID) -> UInt64 {
        digest(of: Item(entry), entry.stream, source: source)
    }

    private static func digest(of item: Item, _ stream: StreamName, source: NodeID) -> UInt64 {
        let tag = IncarnationTag(stream: stream, source: source, incarnation: item.incarnation)
        return FixedHash.combine(tag.rawValue, UInt64(item.portset.rawValue) + UInt64(item.supply.rawValue) << 16)
    }
}
