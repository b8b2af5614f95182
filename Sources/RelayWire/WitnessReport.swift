import ReflectorModel

/// A report from a set reflector, as a witness, to an entrypoint. It says for each stream that both know which entrypoint
/// leads it ([A] §V-A). Like an announcement, it has pages, and contains either all streams or those that have changed.
public struct WitnessReport: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public var stream: StreamName
        /// The entrypoint that leads the stream, in this witness's view. Nil if no entrypoint leads it: the stream is
        /// orphaned.
        public var leader: NodeID?
        /// The witness has subscribers of the stream.
        public var hasSubscribers: Bool
        /// The stream is no longer in the report. Only a report of changes has such an entry; its `leader` is nil, and its
        /// `hasSubscribers` is false.
        public var isWithdrawn: Bool

        public init(stream: StreamName, leader: NodeID?, hasSubscribers: Bool, isWithdrawn: Bool = false) {
            self.stream = stream
            self.leader = leader
            self.hasSubscribers = hasSubscribers
            self.isWithdrawn = isWithdrawn
        }

        /// The stream is no longer in the report.
        public static func withdrawn(_ stream: StreamName) -> Entry {
            Entry(stream: stream, leader: nil, hasSubscribers: false, isWithdrawn: true)
        }
    }

    public var header: PageHeader
    public var entries: [Entry]

    public init(_ header: PageHeader, entries: [Entry]) {
        self.header = header
        self.entries = entries
    }

    /// The pages of a report, or of its changes since the version `base`. Each page fits into one datagram.
    public static func pages(version: UInt64, base: UInt64 = 0, of entries: [Entry]) -> [WitnessReport] {
        Paging.messages(version: version, base: base, of: entries, bytes: { 10 + $0.stream.text.utf8.count }) {
            WitnessReport($0, entries: $1)
        }
    }
}

// MARK: To and from bytes (WireFormat.md, "Control")

extension WitnessReport {
    private static let subscribersFlag: UInt8 = 1
    private static let withdrawnFlag: UInt8 = 2

    init(_ reader: inout WireReader) throws(WireError) {
        header = try PageHeader(&reader)
        let count = try reader.read(UInt8.self)
        entries = []
        entries.reserveCapacity(Int(count))
        for _ in 0..<count {
            let leader = try reader.read(UInt64.self)
            let flags = try reader.read(UInt8.self)
            let isWithdrawn = flags == Self.withdrawnFlag
            guard flags <= Self.subscribersFlag || isWithdrawn && header.isPartial && leader == 0 else {
                throw .unknownValue
            }
            entries.append(
                Entry(
                    stream: try reader.readStreamName(), leader: leader == 0 ? nil : NodeID(leader),
                    hasSubscribers: flags == Self.subscribersFlag, isWithdrawn: isWithdrawn))
        }
    }

    func write(_ writer: inout WireWriter) {
        header.write(&writer)
        writer.writeCount(entries.count, max: Int(UInt8.max))
        for entry in entries {
            writer.write(entry.leader?.rawValue ?? 0)
            writer.write(entry.isWithdrawn ? Self.withdrawnFlag : entry.hasSubscribers ? Self.subscribersFlag : 0)
            writer.writeName(entry.stream.text)
        }
    }
}
