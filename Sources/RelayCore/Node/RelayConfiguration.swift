import ReflectorModel

/// A node's identity and all parameters of its protocol (design §8). The defaults are recommended for operators.
public struct RelayConfiguration: Sendable {
    /// Host name relative to the zone.
    public var name: String
    public var role: NodeRole
    /// Region of an edge; id of the set region of a set reflector, if it has one.
    public var region: RegionID?
    /// The name of a set reflector's set region, from its certificate; nil if that names none.
    public var setRegion: String?
    /// The other members of an edge's region or of a set region, if it has any; at most `RegionRules.membersMax`.
    public var neighbours: [RegionNeighbour] = []
    public var regionRules = RegionRules()
    /// The multicast groups by which the members give each other streams; nil if they send each one a copy.
    public var lan: LanGroups?

    /// How long a missing packet may delay those after it at an edge.
    public var playOutDeadline: TimeSpan = .milliseconds(500)
    /// How long after its arrival a packet is kept for retransmits and preburst ([A] §IV-A), within the byte budget.
    public var ringSpan: TimeSpan = .seconds(5)
    /// How long after its arrival a packet may still be needed: as a start, as a repair, or for delivery.
    var logSpan: TimeSpan { max(ringSpan, repairSpan + playOutDeadline) + .seconds(1) }
    /// Maximum number of packets kept, over all streams: the node's byte budget in slots of `PacketLog.slotLength`.
    public var packetsMax = 49_152
    /// How long a relay keeps requesting a missing packet.
    public var repairSpan: TimeSpan = .seconds(2)

    /// Lease of a link and of its subscriptions, and the interval at which a child renews it.
    public var lease: TimeSpan = .seconds(6)
    public var renewInterval: TimeSpan = .seconds(2)
    /// After this long without sending to a subscribed child, a parent sends a link heartbeat.
    public var linkHeartbeatInterval: TimeSpan = .milliseconds(100)
    /// The same for a standby link without subscriptions.
    public var warmHeartbeatInterval: TimeSpan = .seconds(1)
    /// A link is dead after this silence, or 2·SRTT + 4·RTTVAR if that is longer.
    public var linkSilenceMax: TimeSpan = .milliseconds(300)
    public var warmSilenceMax: TimeSpan = .milliseconds(3_500)
    /// Maximum time without any new packet of a stream although its links are alive: the backstop of [A] §IV-B.
    public var streamSilenceMax: TimeSpan = .seconds(2)
    /// An entrypoint sends a packet of each subscribed stream at least this often ([A] §IV-B).
    public var fillerInterval: TimeSpan = .seconds(1)

    /// How long a stream is still fetched after its last viewer (edge) or its last child (relay) has left.
    public var leaveGrace: TimeSpan = .seconds(5)
    public var relayLeaveGrace: TimeSpan = .seconds(1)
    /// How long an entrypoint keeps a stream whose encoder disconnected, so that the encoder can return.
    public var encoderGrace: TimeSpan = .seconds(10)

    /// An encoder that sends nothing for this long counts as lost: another entrypoint may lead its stream.
    public var encoderSilenceMax: TimeSpan = .seconds(2)

    /// The parameters of the election of entrypoints.
    public var election = ElectionRules()

    /// Interval of the heartbeats from an entrypoint to set reflectors.
    public var heartbeatInterval: TimeSpan = .milliseconds(250)
    /// Nobody begins to fetch a stream from an entrypoint that has sent no heartbeat for this long, and a witness that
    /// has been silent for this long has no vote.
    var heartbeatSilenceMax: TimeSpan { heartbeatInterval * Int64(election.heartbeatsMissed) }
    /// An entrypoint is dead to a witness after this long without any datagram: `heartbeatsMissed` heartbeats did not
    /// arrive, and the next one is due.
    var witnessSilenceMax: TimeSpan { heartbeatSilenceMax + heartbeatInterval }

    /// Time until the first retry of a handshake step or a Subscribe. It doubles with each further retry.
    public var retryInterval: TimeSpan = .milliseconds(100)
    public var retriesMax = 4
    /// How long a parent is avoided after its first failure. The time doubles with each further one, up to the maximum.
    public var penalty: TimeSpan = .seconds(2)
    public var penaltyMax: TimeSpan = .seconds(30)
    /// Minimum number of paths by which each stream is fetched, 1 to 3, if there are as many parents.
    public var pathsMin = 1
    /// Whether paths are added, up to 3, while the quality at the streaming server is bad ([A] §IV-B).
    public var adaptsPaths = true
    /// A stream returns to a better parent that has been healthy for this long.
    public var returnAfter: TimeSpan = .seconds(30)

    /// Backlog (preburst, resume) speed as a multiple of the arrival rate, in sixteenths ([A] §IV-C).
    public var backlogSixteenths: UInt8 = 32
    /// Maximum time that output waits. It waits only while enough packets arrive to make gathering them worthwhile
    /// (`SendCoalescer`).
    public var flushInterval: TimeSpan = .microseconds(700)
    /// Fastest backlog speed that a child may request, also in sixteenths.
    public var backlogSixteenthsMax: UInt8 = 64
    /// Largest burst of backlog or retransmits to one child in one flush.
    public var burstMax = 16

    /// Egress capacity in bits per second; 0 is unlimited.
    public var capacity: UInt64 = 0

    public var linksMax = 4_096
    /// Child links from one IPv4 address or one IPv6 /64: enough for many nodes behind one NAT.
    public var linksPerAddressMax = 256
    /// Links of one child node: it may open one from each of its addresses.
    public var linksPerNodeMax = 4
    /// Links whose delays are measured: at most 28 kB each in the daemons.
    public var measuredLinksMax = 1_024
    public var streamsMax = 16_384
    public var subscriptionsPerLinkMax = 4_096
    public var queuePacketsMax = 4_096
    public var gapsMax = 4_096
    /// Maximum number of names in the directory: one for each stream, and as many for their parents.
    public var lookUpsMax = 32_768
    /// Streams from the announcements of all entrypoints, including incomplete lists: about 200 bytes each.
    public var announcementsMax = 65_536
    /// The same for one entrypoint.
    public var announcementsPerLinkMax = 16_384
    /// A list whose missing pages do not arrive within this time is dropped.
    public var announcementPatience: TimeSpan = .seconds(10)
    /// How many names of streams new to this node a child may request: in a burst, and per second.
    public var newNamesBurst = 1_024
    public var newNamesPerSecond = 128
    public var controlBytesMax = 1 << 20

    public init(name: String, role: NodeRole, region: RegionID? = nil) {
        self.name = name
        self.role = role
        self.region = region
    }
}
