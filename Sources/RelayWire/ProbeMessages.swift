import ReflectorModel

/// A node's report about itself, in answer to the Probe of a name server. Totals count from the node's start; a lower
/// total than before, or a shorter uptime, means that the node has restarted.
public struct ProbeReport: Sendable, Equatable {
    /// The incarnation that leads one stream, and what a witness has received of it.
    public struct Lead: Sendable, Equatable {
        public var tag: IncarnationTag
        /// The entrypoint of the incarnation.
        public var source: NodeID
        public var highest: SequenceNumber
        /// Time since the incarnation's last packet arrived, in milliseconds, at most 65,535.
        public var silentMilliseconds: UInt16

        public init(tag: IncarnationTag, source: NodeID, highest: SequenceNumber, silentMilliseconds: UInt16) {
            self.tag = tag
            self.source = source
            self.highest = highest
            self.silentMilliseconds = silentMilliseconds
        }
    }

    /// Maximum number of leads in one report.
    public static let leadsMax = 11

    /// As in the probe. Random for each probe, so that an old report does not answer a new one.
    public var number: UInt64
    public var uptimeMilliseconds: UInt64 = 0
    /// Number of links to children.
    public var children: UInt32 = 0
    public var streams: UInt32 = 0
    /// Egress that the node may use, in bits per second; 0 for no limit.
    public var capacity: UInt64 = 0
    /// Bytes sent.
    public var bytesSent: UInt64 = 0
    /// Data packets that children report as received, and as lost.
    public var received: UInt64 = 0
    public var lost: UInt64 = 0
    public var leads: [Lead] = []

    public init(number: UInt64) { self.number = number }
}

// MARK: To and from bytes (WireFormat.md, "Control")

extension ProbeReport {
    init(_ reader: inout WireReader) throws(WireError) {
        self.init(number: try reader.read())
        uptimeMilliseconds = try reader.read()
        children = try reader.read()
        streams = try reader.read()
        capacity = try reader.read()
        bytesSent = try reader.read()
        received = try reader.read()
        lost = try reader.read()
        let count = try reader.read(UInt8.self)
        guard Int(count) <= Self.leadsMax else { throw .tooMany }
        for _ in 0..<count {
            let tag = IncarnationTag(try reader.read())
            let source = NodeID(try reader.read())
            let highest = try reader.readSequence()
            leads.append(Lead(tag: tag, source: source, highest: highest, silentMilliseconds: try reader.read()))
        }
    }

    func write(_ writer: inout WireWriter) {
        writer.write(number)
        writer.write(uptimeMilliseconds)
        writer.write(children)
        writer.write(streams)
        writer.write(capacity)
        writer.write(bytesSent)
        writer.write(received)
        writer.write(lost)
        writer.writeCount(leads.count, max: Self.leadsMax)
        for lead in leads {
            writer.write(lead.tag.rawValue)
            writer.write(lead.source.rawValue)
            writer.writeSequence(lead.highest)
            writer.write(lead.silentMilliseconds)
        }
    }
}
