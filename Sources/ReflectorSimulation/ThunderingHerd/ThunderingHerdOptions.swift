import ReflectorModel

/// The options of a `ThunderingHerdSimulation`: how many regions lose their parent at once, and what the parent's
/// neighbours can carry.
public struct ThunderingHerdOptions: Sendable {
    public var entrypoints = 4
    /// Number of set reflectors, one of which dies.
    public var sets = 4
    /// Edge regions that each set reflector serves before the death.
    public var edgesPerSet = 1_000
    public var streams = 200
    public var streamsPerEdge = 2
    public var packetsPerSecond: Int64 = 5
    /// Size of an encoder's packet: seven packets of MPEG-TS.
    public var payloadBytes = 1_316
    /// Capacity of a set reflector, as a multiple of its live rate before the death.
    public var headroom = 1.5
    /// Whether the set reflectors know their capacity. If not, they do not limit their sending, and packets are lost.
    public var declaresCapacity = true
    /// The line of a set reflector drops a datagram that would wait longer than this.
    public var queue = TimeSpan.milliseconds(30)
    /// Delay from any node to any other, without queueing.
    public var delay = TimeSpan.milliseconds(10)
    /// All viewers come within this time.
    public var arrivals = TimeSpan.seconds(20)
    /// Time from the last viewer's arrival to the death, and from the death to the end.
    public var settling = TimeSpan.seconds(7)
    public var aftermath = TimeSpan.seconds(15)
    public var seed: UInt64 = 1

    public init() {}

    /// Bits of one packet on the wire.
    public var packetBits: Int { 8 * (payloadBytes + ThunderingHerdSimulation.overhead) }

    /// Bits per second of live packets that one set reflector sends before the death.
    public var liveBitsPerSecond: Int { edgesPerSet * streamsPerEdge * Int(packetsPerSecond) * packetBits }

    public var capacity: Int { Int(Double(liveBitsPerSecond) * headroom) }
}

/// What a group of regions received (those whose parent lived on, or those whose parent died). Losses and wrong packets
/// count from the first packet on, everything else from two seconds before the death.
public struct ThunderingHerdFlows: Sendable {
    /// Pairs of region and stream.
    public var count = 0
    public var delivered: UInt64 = 0
    public var lost: UInt64 = 0
    /// Delivered twice or out of order.
    public var wrong: UInt64 = 0
    /// Pairs that receive nothing at the end.
    public var unserved = 0
    /// For each pair, the longest time between two packets; sorted, the shortest first.
    public var gaps: [TimeSpan] = []
    /// Longest delay from the encoder to the streaming server.
    public var delayMax = TimeSpan.zero

    public var gapMax: TimeSpan { gaps.last ?? .zero }
    public var gapMedian: TimeSpan { gaps.isEmpty ? .zero : gaps[gaps.count / 2] }
}

/// The figures of one run.
public struct ThunderingHerdReport: Sendable {
    /// Longest gap that is allowed for a region with a live parent: 1.5 times the packet interval.
    public var gapLimit = TimeSpan.zero
    /// Regions whose parent lived on, and regions whose parent died.
    public var stayed = ThunderingHerdFlows()
    public var moved = ThunderingHerdFlows()
    /// In bits per second.
    public var capacity = 0
    /// The largest number of bits that a set reflector sent to its line in one second.
    public var busiestSecond = 0
    /// Longest wait in the line's queue, and datagrams that did not fit into it.
    public var waitMax = TimeSpan.zero
    public var dropped: UInt64 = 0
    public var refusedBusy: UInt64 = 0
    public var backlogSent: UInt64 = 0
    /// Time from the death until all regions had every stream again; nil if they do not have them at the end.
    public var allServedAfter: TimeSpan?
    /// The largest sizes that the tables of any set reflector reached after the death.
    public var linksMax = 0
    public var queuedMax = 0
    public var timersMax = 0
    /// Entries that full tables rejected, over all nodes.
    public var tablesFull: UInt64 = 0
    public var events: UInt64 = 0
    public var digest: UInt64 = 0

    /// Every requirement that is not met; empty if all are met.
    public var problems: [String] {
        var problems: [String] = []
        func require(_ holds: Bool, _ text: @autoclosure () -> String) { if !holds { problems.append(text()) } }
        require(stayed.lost == 0, "regions with a live parent lost \(stayed.lost) packets")
        require(stayed.wrong + moved.wrong == 0, "\(stayed.wrong + moved.wrong) packets twice or out of order")
        require(
            stayed.gapMax <= gapLimit,
            "a region with a live parent received nothing for \(stayed.gapMax.milliseconds) ms")
        require(moved.lost == 0, "regions that moved lost \(moved.lost) packets")
        require(stayed.unserved + moved.unserved == 0, "\(stayed.unserved + moved.unserved) streams do not flow")
        require(dropped == 0, "\(dropped) datagrams did not fit into a line's queue")
        require(Double(busiestSecond) <= Double(capacity) * 1.02, "a set reflector sent more than its capacity")
        require(tablesFull == 0, "full tables rejected \(tablesFull) entries")
        return problems
    }
}
