/// The status of a running node at `GET /status`, which `reflector status`, `trace` and `up` read. All counters are
/// zero when the node starts.
public struct NodeStatus: Codable, Sendable, Equatable {
    public var name: String
    /// `entrypoint`, `set` or `edge`.
    public var role: String
    /// The region of an edge, such as `r1283`, or the id of a set reflector's set region if it has one.
    public var region: String?
    /// The name of a set reflector's set region, if its certificate names one. Reported with the first page only.
    public var setRegion: String?
    public var zone: String
    /// Address and port of the relay protocol.
    public var endpoint: String
    /// All endpoints, if there are several.
    public var endpoints: [String]?
    public var uptimeSeconds: Double
    /// Zone serial of the newest DNS answer that the node uses.
    public var serial: UInt32?
    /// Reported only with the first page of the streams; otherwise empty.
    public var links: [LinkStatus]
    /// One page of the streams (`StreamPage`).
    public var streams: [StreamStatus]
    /// Total number of streams; nil from a node that reports all of its streams at once.
    public var streamsTotal: Int?
    /// Where the next page starts; nil if this is the last.
    public var nextStreams: Int?
    /// How long packets stayed in this node, over all streams. At a relay, the time until they were sent to the
    /// children, not counting retransmits and backlog; at an edge, the time until they were delivered in order.
    public var residence: DelayBuckets?
    /// At an edge: the streams that were recently unavailable, newest first, with the reasons.
    public var unavailable: [UnavailableStream]?
    /// At an edge: the streams handed out over UDP, by address.
    public var outputs: [OutputStatus]?
    /// At an edge or a set reflector whose region has other members: who they are, and who leads which stream.
    public var members: RegionStatus?
    /// At an entrypoint: the streams that it could provide but does not have now, by name.
    public var standbys: [String: ElectionStatus]?
    /// Seconds until the node's certificate expires, negative afterwards; nil without one.
    public var certificateExpiresSeconds: Int64?
    /// All node-wide counters: rejects by reason, drops by table, lookups by result.
    public var counters: [String: UInt64]

    public init(
        name: String, role: String, region: String?, zone: String, endpoint: String, uptimeSeconds: Double,
        serial: UInt32?, links: [LinkStatus], streams: [StreamStatus], counters: [String: UInt64],
        streamsTotal: Int? = nil, nextStreams: Int? = nil, residence: DelayBuckets? = nil,
        unavailable: [UnavailableStream]? = nil
    ) {
        self.unavailable = unavailable
        self.name = name
        self.role = role
        self.region = region
        self.zone = zone
        self.endpoint = endpoint
        self.uptimeSeconds = uptimeSeconds
        self.serial = serial
        self.links = links
        self.streams = streams
        self.counters = counters
        self.streamsTotal = streamsTotal
        self.nextStreams = nextStreams
        self.residence = residence
    }
}

/// A stream that viewers requested but that was unavailable.
public struct UnavailableStream: Codable, Sendable, Equatable {
    public var name: String
    public var reason: String
    public var secondsAgo: Double

    public init(name: String, reason: String, secondsAgo: Double) {
        self.name = name
        self.reason = reason
        self.secondsAgo = secondsAgo
    }
}

/// One link of a node, as measured at this node.
public struct LinkStatus: Codable, Sendable, Equatable {
    /// Host name of the other end.
    public var peer: String
    public var endpoint: String
    /// `parent` (we fetch from it), `child` (it fetches from us) or `announce` (we announce to it).
    public var part: String
    /// `opening`, `alive` or `dead`.
    public var state: String
    public var roundTripMilliseconds: Double?
    /// Of the data packets that the parent numbered on this link, the percentage that did not arrive the first time.
    public var lossPercent: Double
    public var packetsSent: UInt64
    public var packetsReceived: UInt64
    /// Retransmits sent on this link (to a child) or requested on it (from a parent).
    public var retransmits: UInt64
    public var subscriptions: Int
    /// Individual round trip times. This field and the next two are reported for links that carry, or have carried,
    /// subscriptions.
    public var roundTrip: DelaySummary?
    /// The queueing delay on the path to us: how much longer the other end's timestamped packets took to arrive than
    /// the fastest of the last 10 to 20 s. The two ends' clocks need not agree.
    public var delayVariation: DelaySummary?
    /// For a child: how long live packets stayed in this node until they were sent to it.
    public var residence: DelaySummary?
    /// The state of the link's circuit breaker: `closed`, or after sustained loss either `shedding` (no extra paths) or
    /// `refusing` (no extra paths and no new streams).
    public var breaker: String?
    /// For a child: the largest payload, in bytes, that its path is known to carry; nil until that is known.
    public var payloadMax: Int?

    public init(
        peer: String, endpoint: String, part: String, state: String, roundTripMilliseconds: Double?,
        lossPercent: Double, packetsSent: UInt64, packetsReceived: UInt64, retransmits: UInt64, subscriptions: Int,
        roundTrip: DelaySummary? = nil, delayVariation: DelaySummary? = nil, residence: DelaySummary? = nil,
        breaker: String? = nil, payloadMax: Int? = nil
    ) {
        self.peer = peer
        self.endpoint = endpoint
        self.part = part
        self.state = state
        self.roundTripMilliseconds = roundTripMilliseconds
        self.lossPercent = lossPercent
        self.packetsSent = packetsSent
        self.packetsReceived = packetsReceived
        self.retransmits = retransmits
        self.subscriptions = subscriptions
        self.roundTrip = roundTrip
        self.delayVariation = delayVariation
        self.residence = residence
        self.breaker = breaker
        self.payloadMax = payloadMax
    }
}

/// One stream at a node.
public struct StreamStatus: Codable, Sendable, Equatable {
    public var name: String
    public var portset: String
    /// Host name (or id, if the name is unknown) of the entrypoint from which the packets come.
    public var source: String?
    public var incarnation: String?
    public var highestSequence: UInt64
    /// Distinct data packets received, without filler.
    public var packetsIn: UInt64
    public var bytesIn: UInt64
    /// Data packets sent to children, including retransmits and prebursts.
    public var packetsOut: UInt64
    public var children: Int
    public var viewers: Int
    /// The paths of the stream, the one in use first; empty at the stream's entrypoint.
    public var paths: [PathStatus]
    /// At an edge: packets delivered to the streaming server in order.
    public var delivered: UInt64
    /// At an edge: packets given up at the playout deadline.
    public var lost: UInt64
    /// Missing packets recovered by retransmit or backfill.
    public var repaired: UInt64
    public var duplicates: UInt64
    /// At an edge: packets that arrived after the playout deadline, when they had been given up.
    public var late: UInt64?
    /// The longest interval in milliseconds between two deliveries (at an edge) or between two payloads of the encoder
    /// (at the entrypoint).
    public var gapMillisecondsMax: Double
    /// How long the stream's packets stayed in this node. At an edge, how long they waited until they were in order:
    /// the delay that loss causes for viewers.
    public var residence: DelayBuckets?
    /// Why the stream is unavailable now; nil if nothing is wrong.
    public var problem: String?
    /// At its witnesses and entrypoints: who leads it.
    public var election: ElectionStatus?
    /// Entrypoints of a hot stream that are left out for a while, because their feed is not the same bytes.
    public var feedsDifferent: [String]?

    public init(
        name: String, portset: String, source: String?, incarnation: String?, highestSequence: UInt64,
        packetsIn: UInt64, bytesIn: UInt64, packetsOut: UInt64, children: Int, viewers: Int, paths: [PathStatus],
        delivered: UInt64, lost: UInt64, repaired: UInt64, duplicates: UInt64, late: UInt64? = nil,
        gapMillisecondsMax: Double, residence: DelayBuckets? = nil, problem: String? = nil,
        feedsDifferent: [String]? = nil
    ) {
        self.problem = problem
        self.feedsDifferent = feedsDifferent
        self.name = name
        self.portset = portset
        self.source = source
        self.incarnation = incarnation
        self.highestSequence = highestSequence
        self.packetsIn = packetsIn
        self.bytesIn = bytesIn
        self.packetsOut = packetsOut
        self.children = children
        self.viewers = viewers
        self.paths = paths
        self.delivered = delivered
        self.lost = lost
        self.repaired = repaired
        self.duplicates = duplicates
        self.late = late
        self.gapMillisecondsMax = gapMillisecondsMax
        self.residence = residence
    }
}

/// How the feed of a second entrypoint is merged into a hot stream.
public struct TwinStatus: Codable, Sendable, Equatable {
    /// `learning` or `merged`.
    public var state: String
    /// Number of a packet in the stream minus its number in this feed; nil while it is not known.
    public var shift: Int64?
    /// Packets that this feed brought first, or alone.
    public var filled: UInt64

    public init(state: String, shift: Int64?, filled: UInt64) {
        self.state = state
        self.shift = shift
        self.filled = filled
    }
}

/// One path over which a node fetches a stream.
public struct PathStatus: Codable, Sendable, Equatable {
    /// Host name of the parent.
    public var parent: String
    public var endpoint: String
    /// The parent's rank: 1, 2 or 3, or 0 for an entrypoint of the stream.
    public var rank: Int
    /// `joining`, `live` or `leaving`.
    public var state: String
    /// The name whose answer selected this path, or `announcement`.
    public var cause: String
    /// The TXT strings of that answer (see `LookUpAnswer.text`).
    public var answer: String?
    public var serial: UInt32?
    public var roundTripMilliseconds: Double?
    public var lossPercent: Double
    public var packets: UInt64
    public var retransmitsAsked: UInt64
    /// Delay variation of the link to the parent; see `LinkStatus`.
    public var delayVariation: DelaySummary?
    /// For a path that brings another feed of a hot stream: how it is merged.
    public var twin: TwinStatus?
    /// The multicast group of the LAN that brings the stream instead of the link; nil if none does.
    public var group: String?

    public init(
        parent: String, endpoint: String, rank: Int, state: String, cause: String, answer: String?, serial: UInt32?,
        roundTripMilliseconds: Double?, lossPercent: Double, packets: UInt64, retransmitsAsked: UInt64,
        delayVariation: DelaySummary? = nil, twin: TwinStatus? = nil, group: String? = nil
    ) {
        self.parent = parent
        self.endpoint = endpoint
        self.rank = rank
        self.state = state
        self.cause = cause
        self.answer = answer
        self.serial = serial
        self.roundTripMilliseconds = roundTripMilliseconds
        self.lossPercent = lossPercent
        self.packets = packets
        self.retransmitsAsked = retransmitsAsked
        self.delayVariation = delayVariation
        self.twin = twin
        self.group = group
    }
}
