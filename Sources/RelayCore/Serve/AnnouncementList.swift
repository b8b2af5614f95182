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
    }

    /// What happened to a page.
    enum Outcome: Equatable {
        /// More pages must follow, or this was not the expected page.
        case incomplete
        /// The last missing page has arrived: the new list replaces the old one.
        case changed
        /// There is no room. All pages of this version are dropped.
        case full
    }

    /// When the entrypoint last sent a page or a heartbeat. Read by `Fetcher`.
    private(set) var heardAt: MonotonicInstant = .zero
    private(set) var version: UInt64 = 0
    private(set) var digest: UInt64 = 0
    private var items: [StreamName: Item] = [:]
    /// The streams, sorted.
    private(set) var names: [StreamName] = []
    /// The streams of a new version of which not all pages have arrived yet.
    private var incoming: [StreamName: Item] = [:]
    private var incomingVersion: UInt64 = 0
    private var incomingPages = 0
    private var incomingDigest: UInt64 = 0
    /// When the first page of that version arrived.
    private var incomingSince: MonotonicInstant = .zero
    /// The list is not requested before this, because the previous list did not fit or was dropped to make
    /// room.
    private(set) var pullNotBefore: MonotonicInstant = .zero
    /// The zone named this entrypoint as a candidate of one of its streams.
    private(set) var isConfirmed = false

    private static let pullPause: TimeSpan = .seconds(5)

    mutating func noteHeard(at now: MonotonicInstant) { heardAt = now }

    /// The zone names the entrypoint as a candidate of one of its streams.
    mutating func confirm() { isConfirmed = true }

    subscript(_ stream: StreamName) -> Item? { items[stream] }
    var count: Int { items.count }
    /// Streams held in all, including those of an incomplete list.
    var held: Int { items.count + incoming.count }

    /// Takes one page; the list changes when all pages of a version have arrived.
    ///
    /// - Parameter room: how many more streams may be held.
    mutating func take(_ page: Announce, source: NodeID, room: Int, at now: MonotonicInstant)
        -> Outcome
    {
        if page.version != incomingVersion || page.page == 0 {
            dropIncoming()
            incomingVersion = page.version
            incomingSince = now
        }
        guard Int(page.page) == incomingPages else { return .incomplete }
        guard page.entries.count <= room else {
            dropIncoming()
            pullNotBefore = now + Self.pullPause
            return .full
        }
        for announced in page.entries {
            incoming[announced.stream] = Item(
                portset: announced.portset, incarnation: announced.incarnation, supply: announced.supply)
            incomingDigest =
                incomingDigest
                &+ Self.digest(of: announced, source: source)
        }
        incomingPages += 1
        guard incomingPages >= Int(page.pages) else { return .incomplete }
        items = incoming
        names = incoming.keys.sorted()
        version = incomingVersion
        digest = incomingDigest
        dropIncoming()
        return .changed
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
        names = []
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
        incoming = [:]
        incomingVersion = 0
        incomingPages = 0
        incomingDigest = 0
    }

    static func digest(of entry: Announce.Entry, source: NodeID) -> UInt64 {
        let tag = IncarnationTag(stream: entry.stream, source: source, incarnation: entry.incarnation)
        return FixedHash.combine(
            tag.rawValue, UInt64(entry.portset.rawValue) + UInt64(entry.supply.rawValue) << 16)
    }
}
