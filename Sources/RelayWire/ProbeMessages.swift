import ReflectorModel

/// Asks whether a node is alive: an answer proves that the node's event loop runs. The cookie, obtained with a `hello`,
/// proves that the prober receives packets at its source address.
public struct Probe: Sendable, Equatable {
    public var keyPhase: UInt8
    public var role: NodeRole
    /// The prober.
    public var node: NodeID
    /// The nonce of the `hello` that obtained the cookie.
    public var nonce: HandshakeNonce
    public var cookie: HandshakeCookie
    /// Random for each probe, so that an old report does not answer a new probe.
    public var number: UInt64

    public init(
        keyPhase: UInt8, role: NodeRole, node: NodeID, nonce: HandshakeNonce, cookie: HandshakeCookie, number: UInt64
    ) {
        self.keyPhase = keyPhase
        self.role = role
        self.node = node
        self.nonce = nonce
        self.cookie = cookie
        self.number = number
    }
}

/// A node's report about itself to a prober. Totals count from the node's start; a lower total than before, or a
/// shorter uptime, means that the node has restarted.
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

    public var keyPhase: UInt8
    /// The node that answers.
    public var node: NodeID
    /// As in the probe.
    public var nonce: HandshakeNonce
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

    public init(keyPhase: UInt8, node: NodeID, nonce: HandshakeNonce, number: UInt64) {
        self.keyPhase = keyPhase
        self.node = node
        self.nonce = nonce
        self.number = number
    }
}

// MARK: To and from bytes (WireFormat.md, "Probes")

extension Probe {
    init(_ keyPhase: UInt8, _ reader: inout WireReader) throws(WireError) {
        let role = try reader.read(enumeration: NodeRole.self)
        let node = NodeID(try reader.read())
        let nonce = try reader.readNonce()
        let cookie = try reader.readCookie()
        self.init(
            keyPhase: keyPhase, role: role, node: node, nonce: nonce, cookie: cookie, number: try reader.read())
    }

    func write(_ writer: inout WireWriter) {
        writer.writeStart(.probe, keyPhase, role.rawValue)
        writer.write(node.rawValue)
        writer.write(nonce)
        writer.write(cookie)
        writer.write(number)
    }
}

extension ProbeReport {
    init(_ keyPhase: UInt8, _ reader: inout WireReader) throws(WireError) {
        try reader.readZeros(count: 1)
        let node = NodeID(try reader.read())
        let nonce = try reader.readNonce()
        self.init(keyPhase: keyPhase, node: node, nonce: nonce, number: try reader.read())
        uptimeMilliseconds = try reader.read()
        children = try reader.read()
        streams = try reader.read()
        capacity = try reader.read()
        bytesSent = try reader.read()
        received = try reader.read()
        lost = try reader.read()
        let count = try reader.read(UInt8.self)
        guard Int(count) <= Self.leadsMax else { throw .unknownValue }
        for _ in 0..<count {
            let tag = IncarnationTag(try reader.read())
            let source = NodeID(try reader.read())
            let highest = try reader.readSequence()
            leads.append(Lead(tag: tag, source: source, highest: highest, silentMilliseconds: try reader.read()))
        }
    }

    func write(_ writer: inout WireWriter) {
        writer.writeStart(.probeReport, keyPhase, 0)
        writer.write(node.rawValue)
        writer.write(nonce)
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
