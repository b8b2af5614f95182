import ReflectorModel

/// What an entrypoint has of a stream that it announces.
public enum StreamSupply: UInt8, Sendable, CaseIterable {
    /// Nothing yet: it could pull the stream from the encoder.
    case able = 0
    /// The encoder's data arrive.
    case live = 1
    /// Packets from before: the encoder is gone or silent, and may return.
    case lapsed = 2
    /// The stream is no longer announced. Only where an announcement tells what has changed.
    case withdrawn = 3

    /// There are packets of an incarnation.
    var hasIncarnation: Bool { self == .live || self == .lapsed }
}

/// One page of an entrypoint's list of streams it can provide ([A] §III-A), or of what has changed in the list.
public struct Announce: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public var stream: StreamName
        /// Zero if the supply is `withdrawn`.
        public var portset: PortsetID
        /// Zero if, and only if, the supply is `able` or `withdrawn`.
        public var incarnation: Incarnation
        public var supply: StreamSupply
        public init(stream: StreamName, portset: PortsetID, incarnation: Incarnation, supply: StreamSupply = .live) {
            self.stream = stream
            self.portset = portset
            self.incarnation = incarnation
            self.supply = supply
        }

        /// The stream is no longer announced.
        public static func withdrawn(_ stream: StreamName) -> Entry {
            Entry(stream: stream, portset: PortsetID(0), incarnation: .none, supply: .withdrawn)
        }
    }

    public var header: PageHeader
    public var entries: [Entry]

    public init(_ header: PageHeader, entries: [Entry]) {
        self.header = header
        self.entries = entries
    }

    /// A list, or what has changed in it since the version `base`, in pages of one datagram each.
    public static func pages(version: UInt64, base: UInt64 = 0, of entries: [Entry]) -> [Announce] {
        Paging.messages(version: version, base: base, of: entries, bytes: { 20 + $0.stream.text.utf8.count }) {
            Announce($0, entries: $1)
        }
    }
}

// MARK: To and from bytes (WireFormat.md, "Control")

extension Announce {
    init(_ reader: inout WireReader) throws(WireError) {
        header = try PageHeader(&reader)
        let count = try reader.read(UInt8.self)
        entries = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let portset = PortsetID(try reader.read())
            let incarnation = try reader.readIncarnation()
            let supply = try reader.read(enumeration: StreamSupply.self)
            guard supply.hasIncarnation != (incarnation == .none) else { throw .unknownValue }
            guard supply != .withdrawn || header.isPartial && portset == PortsetID(0) else { throw .unknownValue }
            entries.append(
                Entry(stream: try reader.readStreamName(), portset: portset, incarnation: incarnation, supply: supply))
        }
    }

    func write(_ writer: inout WireWriter) {
        header.write(&writer)
        writer.writeCount(entries.count, max: Int(UInt8.max))
        for entry in entries {
            writer.write(entry.portset.rawValue)
            writer.write(entry.incarnation.high)
            writer.write(entry.incarnation.low)
            writer.write(entry.supply.rawValue)
            writer.writeName(entry.stream.text)
        }
    }
}
