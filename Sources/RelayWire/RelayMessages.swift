import ReflectorModel

/// A control message on an open link (WireFormat.md, "Control").
public enum RelayMessage: Sendable, Equatable {
    case subscribe(Subscribe)
    case subscribeReply(SubscribeReply)
    case unsubscribe(subscription: UInt32)
    case subscriptionEnd(subscription: UInt32, reason: SubscriptionEndReason)
    case renew(Renew)
    case linkHeartbeat(LinkHeartbeat)
    case nak(Nak)
    case announce(Announce)
    case heartbeat(Heartbeat)
    case announcePull(versionHeld: UInt64)
    case witnessReport(WitnessReport)
    case heartbeatReply(HeartbeatReply)
    case close(CloseReason)
    /// Parent to child: a datagram of `length` bytes, to test whether the path carries it.
    case sizeProbe(length: UInt16)
    /// Child to parent: a `sizeProbe` of that many bytes has arrived.
    case sizeReport(length: UInt16)
    /// Child to parent: the path to the child, or a path behind the child, carries payloads of at most this many bytes.
    case payloadLimit(subscription: UInt32, bytes: UInt16)
    /// Name server to node: asks whether the node's event loop runs. `number` is random.
    case probe(number: UInt64)
    case probeReport(ProbeReport)
    /// Member to member of a region.
    case regionReport(RegionReport)
    /// Parent to child: a multicast group of the LAN that carries the stream.
    case lanFeed(LanFeed)
}

/// Requests a stream from a parent. Repeating it with the same subscription id is harmless.
public struct Subscribe: Sendable, Equatable {
    public enum Start: Sendable, Equatable {
        /// From the next packet on.
        case live
        /// From the oldest packet in the parent's ring that is not about to be overwritten ([A] §IV-C).
        case preburst
        /// From this sequence number of this incarnation on, as far back as the ring reaches.
        case resume(IncarnationTag, SequenceNumber)
    }
    /// The child's own id of this subscription on this link.
    public var subscription: UInt32
    public var stream: StreamName
    public var portset: PortsetID
    public var start: Start
    /// Backlog speed as a multiple of the arrival rate, in sixteenths: 32 is 2×.
    public var rateSixteenths: UInt8
    /// How long the child has got no packet of the incarnation that it resumes, in ms; `.max` if longer or unknown, 0
    /// unless it resumes. A parent with another source sends that much of its past, and a little more.
    public var silentMilliseconds: UInt16
    /// The sender, unless it is an edge, and the relays that fetch the stream through it; at most `pathLengthMax`. A
    /// node that finds its own id in the path has detected a loop.
    public var path: [NodeID]
    public static let pathLengthMax = 8
    /// Set in the start octet if `isExtra`.
    static let extraFlag: UInt8 = 0x80
    /// The child asks another parent too, or already gets the stream from one; this path is only for redundancy. A
    /// parent that is nearly full refuses it.
    public var isExtra: Bool
    /// Set in the start octet if `isOnRequest`.
    static let onRequestFlag: UInt8 = 0x40
    /// The parent sends no packet of the stream on the link but those that a Nak asks for: the stream itself reaches the
    /// child by another path, or by a multicast group of the LAN. The start says nothing then.
    public var isOnRequest: Bool

    public init(
        subscription: UInt32, stream: StreamName, portset: PortsetID, start: Start, rateSixteenths: UInt8,
        silentMilliseconds: UInt16 = 0, path: [NodeID], isExtra: Bool = false,
        isOnRequest: Bool = false
    ) {
        self.subscription = subscription
        self.stream = stream
        self.portset = portset
        self.start = start
        self.rateSixteenths = rateSixteenths
        self.silentMilliseconds = silentMilliseconds
        self.path = path
        self.isExtra = isExtra
        self.isOnRequest = isOnRequest
    }
}

public enum SubscribeStatus: UInt8, Sendable, CaseIterable {
    case ok = 0
    case pending = 1
    case unknownStream = 2
    case busy = 3
    case loop = 4
    case tableFull = 5
    case noSource = 6
    /// For an existing subscription: the child should end it if it gets the stream by another path as well.
    case crowded = 7
    /// It is unknown whether the stream exists: the parent's name servers do not answer.
    case undecided = 8
}

/// A parent's answer to Subscribe; sent again whenever the source or incarnation changes.
public struct SubscribeReply: Sendable, Equatable {
    public var subscription: UInt32
    public var status: SubscribeStatus
    public var source: NodeID
    public var incarnation: Incarnation
    public var oldest: SequenceNumber
    public var highest: SequenceNumber
    public var retryAfterMilliseconds: UInt16
    /// The incarnation's sealing key. Present if, and only if, the status is `ok`.
    public var key: WrappedKey?

    public init(
        subscription: UInt32, status: SubscribeStatus, source: NodeID = NodeID(0),
        incarnation: Incarnation = Incarnation(high: 0, low: 0), oldest: SequenceNumber = .none,
        highest: SequenceNumber = .none, retryAfterMilliseconds: UInt16 = 0, key: WrappedKey? = nil
    ) {
        self.subscription = subscription
        self.status = status
        self.source = source
        self.incarnation = incarnation
        self.oldest = oldest
        self.highest = highest
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.key = key
    }
}

public enum SubscriptionEndReason: UInt8, Sendable, CaseIterable {
    case withdrawn = 0
    case leaseExpired = 1
    case shuttingDown = 2
    case noSource = 3
    case shed = 4
}

public enum CloseReason: UInt8, Sendable, CaseIterable {
    case leaving = 0
    case replaced = 1
    case shuttingDown = 2
}

/// A child's lease renewal. The newest nonce, echoed, proves that the child still receives packets at its address.
public struct Renew: Sendable, Equatable {
    public var leaseNonce: UInt64
    public var subscriptions: UInt16
    public var digest: UInt64
    public var timestamp: UInt64
    public var echoedTimestamp: UInt64
    public var echoDelayMicroseconds: UInt32
    /// Data packets received on the link, modulo 2³².
    public var received: UInt32
    /// Link numbers that never arrived, modulo 2³².
    public var lost: UInt32

    public init(
        leaseNonce: UInt64, subscriptions: UInt16, digest: UInt64, timestamp: UInt64, echoedTimestamp: UInt64,
        echoDelayMicroseconds: UInt32, received: UInt32, lost: UInt32
    ) {
        self.leaseNonce = leaseNonce
        self.subscriptions = subscriptions
        self.digest = digest
        self.timestamp = timestamp
        self.echoedTimestamp = echoedTimestamp
        self.echoDelayMicroseconds = echoDelayMicroseconds
        self.received = received
        self.lost = lost
    }
}

/// A parent's sign of life: says what the child should have received by now.
public struct LinkHeartbeat: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        public var subscription: UInt32
        public var highest: SequenceNumber
        /// Milliseconds since the parent last received a packet of the stream from upstream, at most 65,535.
        public var upstreamSilentMilliseconds: UInt16
        public init(subscription: UInt32, highest: SequenceNumber, upstreamSilentMilliseconds: UInt16) {
            self.subscription = subscription
            self.highest = highest
            self.upstreamSilentMilliseconds = upstreamSilentMilliseconds
        }
    }
    public static let entriesMax = 64

    public var nextLinkNumber: UInt32
    public var leaseNonce: UInt64
    public var timestamp: UInt64
    public var echoedTimestamp: UInt64
    public var echoDelayMicroseconds: UInt32
    public var digestMismatch: Bool
    public var entries: [Entry]

    public init(
        nextLinkNumber: UInt32, leaseNonce: UInt64, timestamp: UInt64, echoedTimestamp: UInt64,
        echoDelayMicroseconds: UInt32, digestMismatch: Bool, entries: [Entry]
    ) {
        self.nextLinkNumber = nextLinkNumber
        self.leaseNonce = leaseNonce
        self.timestamp = timestamp
        self.echoedTimestamp = echoedTimestamp
        self.echoDelayMicroseconds = echoDelayMicroseconds
        self.digestMismatch = digestMismatch
        self.entries = entries
    }
}

/// Requests the retransmission of packets: a gap in the link numbers shows that they are lost.
public struct Nak: Sendable, Equatable {
    public struct Run: Sendable, Equatable {
        public var first: SequenceNumber
        /// 1 to 64.
        public var count: UInt8
        public init(first: SequenceNumber, count: UInt8) {
            self.first = first
            self.count = count
        }
    }
    /// Maximum number of sequence numbers in one NAK.
    public static let numbersMax = 64

    public var subscription: UInt32
    /// 1 for the first request of these numbers, at most `triesMax`; unchanged if the request is only repeated.
    public var tryNumber: UInt8
    public static let triesMax: UInt8 = 127
    /// True if a later try could not be answered in time. The parent then retransmits a second time even while the
    /// first retransmit may still be in transit.
    public var isLast: Bool
    public var runs: [Run]

    public init(subscription: UInt32, tryNumber: UInt8, isLast: Bool = false, runs: [Run]) {
        self.subscription = subscription
        self.tryNumber = tryNumber
        self.isLast = isLast
        self.runs = runs
    }
}

/// An entrypoint's sign of life to a set reflector, every 250 ms ([A] §V-A requires one per second or more).
public struct Heartbeat: Sendable, Equatable {
    public var version: UInt64
    public var digest: UInt64
    public var timestamp: UInt64
    /// The version of the set reflector's report that the entrypoint has completely; 0 if none.
    public var reportHeld: UInt64

    public init(version: UInt64, digest: UInt64, timestamp: UInt64, reportHeld: UInt64 = 0) {
        self.version = version
        self.digest = digest
        self.timestamp = timestamp
        self.reportHeld = reportHeld
    }
}

/// A set reflector's answer to a heartbeat.
public struct HeartbeatReply: Sendable, Equatable {
    public var echoedTimestamp: UInt64
    /// The set reflector trusts its own view of the entrypoints: its report counts as a vote.
    public var isVoting: Bool

    public init(echoedTimestamp: UInt64, isVoting: Bool = true) {
        self.echoedTimestamp = echoedTimestamp
        self.isVoting = isVoting
    }
}
