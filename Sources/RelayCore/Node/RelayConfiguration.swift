import ReflectorModel

/// Who a node is and every figure of its protocol (design §8). The defaults are the ones operators should start from.
public struct RelayConfiguration: Sendable {
    /// Host name relative to the zone.
    public var name: String
    public var role: NodeRole
    /// Region of an edge; the set region's id of a set reflector, where it has one.
    public var region: RegionID?

    /// How long a missing packet may hold back those behind it at an edge.
    public var playOutDeadline: TimeSpan = .milliseconds(500)
    /// How long after its arrival a packet is kept for retransmit and preburst ([A] §IV-A), while the budget lasts.
    public var ringSpan: TimeSpan = .seconds(5)
    /// How long after its arrival somebody may still want a packet: to begin with, as a repair, or to be handed out.
    var logSpan: TimeSpan { max(ringSpan, repairSpan + playOutDeadline) + .seconds(1) }
    /// Packets kept in all, over all streams: the node's byte budget in slots of `PacketLog.slotLength`.
    public var packetsMax = 49_152
    /// How long a relay goes on asking for a missing packet.
    public var repairSpan: TimeSpan = .seconds(2)

    /// Lease of a link and of each subscription on it, and how often a child renews it.
    public var lease: TimeSpan = .seconds(6)
    public var renewInterval: TimeSpan = .seconds(2)
    /// A parent silent towards a subscribed child this long sends a link heartbeat.
    public var linkHeartbeatInterval: TimeSpan = .milliseconds(100)
    /// The same for a link without subscriptions, kept warm.
    public var warmHeartbeatInterval: TimeSpan = .seconds(1)
    /// A link is dead after this silence, or 2·SRTT + 4·RTTVAR if that is longer.
    public var linkSilenceMax: TimeSpan = .milliseconds(300)
    public var warmSilenceMax: TimeSpan = .milliseconds(3_500)
    /// A stream without any packet this long on a live link: the backstop of [A] §IV-B.
    public var streamSilenceMax: TimeSpan = .seconds(2)
    /// A subscribed stream carries a packet at least this often ([A] §IV-B).
    public var fillerInterval: TimeSpan = .seconds(1)

    /// How long a stream is still fetched after its last viewer has left (edge) or its last child (relay).
    public var leaveGrace: TimeSpan = .seconds(5)
    public var relayLeaveGrace: TimeSpan = .seconds(1)
    /// How long an entrypoint keeps a stream whose encoder has gone, so that it may come back.
    public var encoderGrace: TimeSpan = .seconds(10)

    /// Entrypoint to set reflectors; dead after three missed.
    public var heartbeatInterval: TimeSpan = .milliseconds(250)

    /// First retry of a handshake step or a Subscribe; doubles.
    public var retryInterval: TimeSpan = .milliseconds(100)
    public var retriesMax = 4
    /// A parent that failed is avoided this long; doubles up to the maximum.
    public var penalty: TimeSpan = .seconds(2)
    public var penaltyMax: TimeSpan = .seconds(30)
    /// Paths by which each stream is fetched at least, 1 to 3, if there are as many parents.
    public var pathsMin = 1
    /// More paths while the quality at the streaming server is bad, up to 3 ([A] §IV-B).
    public var adaptsPaths = true
    /// A better parent that has been well this long is returned to.
    public var returnAfter: TimeSpan = .seconds(30)

    /// Backlog (preburst, resume) speed as a multiple of the arrival rate, in sixteenths ([A] §IV-C).
    public var backlogSixteenths: UInt8 = 32
    /// Output waits at most this long, and only while so much comes that runs of packets are gathered (`SendCoalescer`).
    public var flushInterval: TimeSpan = .microseconds(700)
    /// Fastest backlog that a child may ask for, in the same sixteenths.
    public var backlogSixteenthsMax: UInt8 = 64
    /// Largest burst of backlog or retransmits to one child in one flush.
    public var burstMax = 16

    /// Egress in bits a second; 0 is unlimited.
    public var capacity: UInt64 = 0

    public var linksMax = 4_096
    /// Links of children from one IPv4 address, or one IPv6 network of 64 bits: many nodes behind one NAT fit.
    public var linksPerAddressMax = 256
    /// Links of one child node: it may have one by each of its addresses.
    public var linksPerNodeMax = 4
    /// Links whose delays are measured: at most 28 kB each in the daemons.
    public var measuredLinksMax = 1_024
    public var streamsMax = 16_384
    public var subscriptionsPerLinkMax = 4_096
    public var queuePacketsMax = 4_096
    public var gapsMax = 4_096
    /// Names looked up: as many as streams, and as many for their parents.
    public var lookUpsMax = 32_768
    /// Streams taken from all entrypoints' announcements, those being received included: some 200 bytes each.
    public var announcementsMax = 65_536
    /// The same from one entrypoint.
    public var announcementsPerLinkMax = 16_384
    /// A list of which pages are missing this long is dropped.
    public var announcementPatience: TimeSpan = .seconds(10)
    /// Names of streams that a child may bring up at once, and a second, which this node does not carry yet.
    public var newNamesBurst = 1_024
    public var newNamesPerSecond = 128
    public var controlBytesMax = 1 << 20

    public init(name: String, role: NodeRole, region: RegionID? = nil) {
        self.name = name
        self.role = role
        self.region = region
    }
}
