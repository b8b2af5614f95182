import ReflectorModel
import RelayWire

/// The streams that one entrypoint announces, as a set reflector holds them: soft state of the entrypoint's link.
struct AnnouncementList {
    struct Item {
        var portset: PortsetID
        var keyPhase: UInt8
        var incarnation: Incarnation
    }

    /// Most streams taken from one entrypoint.
    static let countMax = 65_536

    private(set) var version: UInt64 = 0
    private(set) var digest: UInt64 = 0
    private var items: [StreamName: Item] = [:]
    /// Pages of the version being received.
    private var incoming: [StreamName: Item] = [:]
    private var incomingVersion: UInt64 = 0
    private var incomingPages = 0
    private var incomingDigest: UInt64 = 0

    subscript(_ stream: StreamName) -> Item? { items[stream] }
    var count: Int { items.count }

    /// Takes one page; the list changes when all pages of a version have come. True if it changed.
    mutating func take(_ page: Announce, source: NodeID) -> Bool {
        if page.version != incomingVersion || page.page == 0 {
            incoming = [:]
            incomingVersion = page.version
            incomingPages = 0
            incomingDigest = 0
        }
        guard Int(page.page) == incomingPages, incoming.count + page.entries.count <= Self.countMax else {
            return false
        }
        for announced in page.entries {
            incoming[announced.stream] = Item(
                portset: announced.portset, keyPhase: announced.keyPhase, incarnation: announced.incarnation)
            incomingDigest =
                incomingDigest
                &+ Self.digest(of: announced.stream, source: source, announced.incarnation, announced.portset)
        }
        incomingPages += 1
        guard incomingPages >= Int(page.pages) else { return false }
        items = incoming
        incoming = [:]
        version = incomingVersion
        incomingVersion = 0
        digest = incomingDigest
        return true
    }

    static func digest(
        of stream: StreamName, source: NodeID, _ incarnation: Incarnation, _ portset: PortsetID
    ) -> UInt64 {
        let tag = IncarnationTag(stream: stream, source: source, incarnation: incarnation)
        return FixedHash.combine(tag.rawValue, UInt64(portset.rawValue))
    }
}
