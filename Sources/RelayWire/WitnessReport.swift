import ReflectorModel

/// What a set reflector, as a witness, says to an entrypoint about the streams that both know ([A] §V-A): who leads each
/// of them, or that nobody does. It comes in pages, like an announcement.
public struct WitnessReport: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public var stream: StreamName
        /// The entrypoint that leads the stream as this witness sees it; nil if nobody does: the stream is orphaned.
        public var leader: NodeID?
        /// The witness has subscribers of the stream.
        public var hasSubscribers: Bool

        public init(stream: StreamName, leader: NodeID?, hasSubscribers: Bool) {
            self.stream = stream
            self.leader = leader
            self.hasSubscribers = hasSubscribers
        }
    }

    /// Incremented with every change of the report on this link; at least 1.
    public var version: UInt64
    public var page: UInt16
    public var pages: UInt16
    public var entries: [Entry]

    public init(version: UInt64, page: UInt16, pages: UInt16, entries: [Entry]) {
        self.version = version
        self.page = page
        self.pages = pages
        self.entries = entries
    }
}

// MARK: To and from bytes (WireFormat.md, "Control")

extension WitnessReport {
    init(_ reader: inout WireReader) throws(WireError) {
        version = try reader.read()
        page = try reader.read()
        pages = try reader.read()
        guard version > 0, page < pages else { throw .outOfRange }
        let count = try reader.read(UInt8.self)
        entries = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let leader = try reader.read(UInt64.self)
            let hasSubscribers = try reader.readFlag()
            entries.append(
                Entry(
                    stream: try reader.readStreamName(), leader: leader == 0 ? nil : NodeID(leader),
                    hasSubscribers: hasSubscribers))
        }
    }

    func write(_ writer: inout WireWriter) {
        writer.write(version)
        writer.write(page)
        writer.write(pages)
        writer.writeCount(entries.count, max: Int(UInt8.max))
        for entry in entries {
            writer.write(entry.leader?.rawValue ?? 0)
            writer.write(UInt8(entry.hasSubscribers ? 1 : 0))
            writer.writeName(entry.stream.text)
        }
    }

    /// The whole report in pages of one datagram each; one empty page if there are no entries.
    public static func pages(version: UInt64, of entries: [Entry]) -> [WitnessReport] {
        var pages: [ArraySlice<Entry>] = []
        var rest = entries[...]
        repeat {
            let page = rest.prefix(countInOnePage(rest))
            pages.append(page)
            rest = rest.dropFirst(page.count)
        } while !rest.isEmpty
        return pages.enumerated().map { number, page in
            WitnessReport(
                version: version, page: UInt16(clamping: number), pages: UInt16(clamping: pages.count),
                entries: Array(page))
        }
    }

    private static func countInOnePage(_ entries: ArraySlice<Entry>) -> Int {
        var length = ControlCodec.lengthMin + 13
        var count = 0
        for entry in entries {
            length += 10 + entry.stream.text.utf8.count
            guard length <= WireLimits.announceLengthMax, count < Int(UInt8.max) else { break }
            count += 1
        }
        return count
    }
}
