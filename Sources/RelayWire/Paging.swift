/// Divides a list that does not fit into one message.
enum Paging {
    /// How many of the entries, starting with the first, fit into one message.
    ///
    /// - Parameters:
    ///   - bytesMax: room for the entries.
    ///   - bytes: length of one entry; no entry is longer than the room.
    static func count<Entry>(
        _ entries: ArraySlice<Entry>, bytesMax: Int, countMax: Int, bytes: (Entry) -> Int
    ) -> Int {
        var length = 0
        var count = 0
        for entry in entries {
            length += bytes(entry)
            guard length <= bytesMax, count < countMax else { break }
            count += 1
        }
        return count
    }

    /// All entries in control messages of one datagram each, in their order; one message without entries if there are none.
    ///
    /// - Parameters:
    ///   - version: the version of the list that the messages bring the receiver to.
    ///   - base: the version that the receiver must hold already; 0 if the entries are the whole list.
    ///   - head: length of what comes before the page's header in each message.
    ///   - bytes: length of one entry.
    ///   - message: makes a message from its header and its entries.
    static func messages<Entry, Message>(
        version: UInt64, base: UInt64, of entries: [Entry], head: Int = 0, bytes: (Entry) -> Int,
        message: (PageHeader, [Entry]) -> Message
    ) -> [Message] {
        let room = WireLimits.announceLengthMax - ControlCodec.lengthMin - PageHeader.length - head
        var pages: [ArraySlice<Entry>] = []
        var rest = entries[...]
        repeat {
            let count = count(rest, bytesMax: room, countMax: Int(UInt8.max), bytes: bytes)
            pages.append(rest.prefix(count))
            rest = rest.dropFirst(count)
        } while !rest.isEmpty
        return pages.enumerated().map { number, page in
            let header = PageHeader(
                version: version, base: base, page: UInt16(clamping: number), pages: UInt16(clamping: pages.count))
            return message(header, Array(page))
        }
    }
}

/// Where a page belongs: the first fields of Announce and WitnessReport, and in RegionReport.
public struct PageHeader: Sendable, Hashable {
    /// The version of the list that the receiver has when all pages have arrived; at least 1. It increases with every
    /// change of the list.
    public var version: UInt64
    /// 0 if the pages are the whole list. Otherwise they are only the entries that have changed since this version, as
    /// they are now; a receiver that holds it, or a version between the two, gets the new version from them.
    public var base: UInt64
    public var page: UInt16
    public var pages: UInt16

    public init(version: UInt64, base: UInt64 = 0, page: UInt16 = 0, pages: UInt16 = 1) {
        self.version = version
        self.base = base
        self.page = page
        self.pages = pages
    }

    /// The entries are only those that have changed.
    public var isPartial: Bool { base > 0 }

    /// Version, base, page, pages, and the number of entries.
    static let length = 21

    init(_ reader: inout WireReader) throws(WireError) {
        version = try reader.read()
        base = try reader.read()
        page = try reader.read()
        pages = try reader.read()
        guard base < version, page < pages else { throw .outOfRange }
    }

    func write(_ writer: inout WireWriter) {
        writer.write(version)
        writer.write(base)
        writer.write(page)
        writer.write(pages)
    }
}
