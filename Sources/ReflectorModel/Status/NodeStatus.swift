/// The status of a running node at `GET /status`, and what `reflector status`, `trace` and `up` read. All
/// counters count from the node's start.
public struct NodeStatus: Codable, Sendable, Equatable {
    public var name: String
    /// `entrypoint`, `set` or `edge`.
    public var role: String
    /// `r1283` for an edge, or the set region's id where it has one.
    public var region: String?
    public var zone: String
    /// Address and port of the relay protocol.
    public var endpoint: String
    /// All of them, where there are several.
    public var endpoints: [String]?
    public var uptimeSeconds: Double
    /// Zone serial of the newest DNS answer that the node follows.
    public var serial: UInt32?
    /// In the first page of the streams only.
    public var links: [LinkStatus]
    /// A page of them (`StreamPage`).
    public var streams: [StreamStatus]
    /// How many there are in all; nil from a node that reports all at once.
    public var streamsTotal: Int?
    /// Where the next page starts; nil if this is the last.
    public var nextStreams: Int?
    /// How long packets stayed in this node, over all streams: at a relay until they went to the children, retransmits
    /// and backlog not counted; at an edge until they were handed out in order.
    public var residence: DelayBuckets?
    /// At an edge: the streams that could not be had last, newest first, and why.
    public var unavailable: [UnavailableStream]?
    /// Everything counted node-wide: rejects by reason, drops by table, look-ups by result.
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

/// A stream that viewers wanted and could not have.
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

/// One link of a node, seen from its end.
public struct LinkStatus: Codable, Sendable, Equatable {
    /// Host name of the other end.
    public var peer: String
    public var endpoint: String
    /// `parent` (we fetch from it), `child` (it fetches from us) or `announce` (we announce to it).
    public var part: String
    /// `opening`, `alive`, `silent` or `dead`.
    public var state: String
    public var roundTripMilliseconds: Double?
    /// Of the data packets the parent numbered on this link, how many per cent did not arrive the first time.
    public var lossPercent: Double
    public var packetsSent: UInt64
    public var packetsReceived: UInt64
    /// Retransmits sent on this link (to a child) or asked for on it (from a parent).
    public var retransmits: UInt64
    public var subscriptions: Int
    /// Round trips one by one. This and the next two are reported for links that carry, or have carried, subscriptions.
    public var roundTrip: DelaySummary?
    /// How much later than the fastest of the last 10 to 20 s the other end's timestamps came: the queue on the way to
    /// us. No clocks are compared.
    public var delayVariation: DelaySummary?
    /// Of a child: how long live packets stayed in this node until they were sent to it.
    public var residence: DelaySummary?
    /// Its circuit breaker: `closed`, or after long loss `shedding` (no extra paths) or `refusing` (nor new streams).
    public var breaker: String?
    /// Of a child: the largest payload, in bytes, that its path was found to carry; nil until that is known.
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
    /// Host name (or id, where the name is not known) of the entrypoint whose packets these are.
    public var source: String?
    public var incarnation: String?
    public var highestSequence: UInt64
    /// Distinct data packets taken in, filler not counted.
    public var packetsIn: UInt64
    public var bytesIn: UInt64
    /// Data packets sent to children, retransmits and prebursts included.
    public var packetsOut: UInt64
    public var children: Int
    public var viewers: Int
    /// Where it comes from, first the one in use; empty at the stream's entrypoint.
    public var paths: [PathStatus]
    /// At an edge: packets handed to the streaming server in order.
    public var delivered: UInt64
    /// At an edge: packets given up at the play-out deadline.
    public var lost: UInt64
    /// Packets that were missing and came by retransmit or backfill.
    public var repaired: UInt64
    public var duplicates: UInt64
    /// At an edge: the longest interval between two deliveries; at the entrypoint: between two payloads of the encoder.
    /// In milliseconds.
    public var gapMillisecondsMax: Double
    /// How long its packets stayed in this node; at an edge, how long they waited for their order: what viewers pay for
    /// loss.
    public var residence: DelayBuckets?
    /// Why it is unavailable now; nil if nothing is wrong.
    public var problem: String?

    public init(
        name: String, portset: String, source: String?, incarnation: String?, highestSequence: UInt64,
        packetsIn: UInt64, bytesIn: UInt64, packetsOut: UInt64, children: Int, viewers: Int, paths: [PathStatus],
        delivered: UInt64, lost: UInt64, repaired: UInt64, duplicates: UInt64, gapMillisecondsMax: Double,
        residence: DelayBuckets? = nil, problem: String? = nil
    ) {
        self.problem = problem
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
        self.gapMillisecondsMax = gapMillisecondsMax
        self.residence = residence
    }
}

/// One path by which a node fetches a stream.
public struct PathStatus: Codable, Sendable, Equatable {
    /// Host name of the parent.
    public var parent: String
    public var endpoint: String
    /// 1, 2 or 3; 0 for an entrypoint that was announced or is a candidate.
    public var rank: Int
    /// `joining`, `live` or `leaving`.
    public var state: String
    /// The name whose answer led here, or `announcement`.
    public var cause: String
    /// TXT of that answer: set region, rule, serial.
    public var answer: String?
    public var serial: UInt32?
    public var roundTripMilliseconds: Double?
    public var lossPercent: Double
    public var packets: UInt64
    public var retransmitsAsked: UInt64
    /// Of the link to the parent; see `LinkStatus`.
    public var delayVariation: DelaySummary?

    public init(
        parent: String, endpoint: String, rank: Int, state: String, cause: String, answer: String?, serial: UInt32?,
        roundTripMilliseconds: Double?, lossPercent: Double, packets: UInt64, retransmitsAsked: UInt64,
        delayVariation: DelaySummary? = nil
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
    }
}
