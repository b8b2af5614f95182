import ReflectorModel

/// A node's report about itself, in answer to the Probe of a name server. Totals count from the node's start; a lower
/// total than before, or a shorter uptime, means that the node has restarted.
public struct ProbeReport: Sendable, Equatable {
    /// Who leads a stream as this node, a witness, sees it. Only streams that the zone's first candidate does not lead
    /// are reported.
    public struct Lead: Sendable, Equatable {
        public var stream: StreamName
        /// The entrypoint that leads; nil if nobody does.
        public var source: NodeID?

        public init(stream: StreamName, source: NodeID?) {
            self.stream = stream
            self.source = source
        }
    }

    /// Maximum number of leads in one report.
    public static let leadsMax = 128
    /// Longest list of leads in bytes; a node with more of them reports them in turn.
    public static let leadsLengthMax = 1_200

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
            let source = try reader.read(UInt64.self)
            leads.append(Lead(stream: try reader.readStreamName(), source: source == 0 ? nil : NodeID(source)))
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
            writer.write(lead.source?.rawValue ?? 0)
            writer.writeName(lead.stream.text)
        }
    }
}

extension ProbeReport {
    /// How many of the leads, starting with the first, fit into one report.
    public static func leadsInOneReport(_ leads: ArraySlice<Lead>) -> Int {
        Paging.count(leads, bytesMax: leadsLengthMax, countMax: leadsMax) { 9 + $0.stream.text.utf8.count }
    }
}
