import ReflectorModel

/// A `ThunderingHerdSimulation`: how many regions lose their parent at once, and what its neighbours can carry.
public struct ThunderingHerdOptions: Sendable {
    public var entrypoints = 4
    /// Set reflectors, of which one dies.
    public var sets = 4
    /// Edge regions that each of them serves before.
    public var edgesPerSet = 1_000
    public var streams = 200
    public var streamsPerEdge = 2
    public var packetsPerSecond: Int64 = 5
    /// What an encoder's packet carries: seven packets of MPEG-TS.
    public var payloadBytes = 1_316
    /// Capacity of a set reflector as a multiple of the live packets that it sends before.
    public var headroom = 1.5
    /// Whether the set reflectors are told their capacity. If not, they do not limit what they send: this shows what the
    /// capacity is for.
    public var declaresCapacity = true
    /// The line out of a set reflector drops what would wait longer than this.
    public var queue = TimeSpan.milliseconds(30)
    /// From any node to any other, without the wait for the line.
    public var delay = TimeSpan.milliseconds(10)
    /// All viewers come within this time.
    public var arrivals = TimeSpan.seconds(20)
    /// From the last viewer's coming to the death, and from the death to the end.
    public var settling = TimeSpan.seconds(7)
    public var aftermath = TimeSpan.seconds(15)
    public var seed: UInt64 = 1

    public init() {}

    /// Bits of one packet on the wire.
    public var packetBits: Int { 8 * (payloadBytes + ThunderingHerdSimulation.overhead) }

    /// Bits a second that one set reflector sends live before the death.
    public var liveBitsPerSecond: Int { edgesPerSet * streamsPerEdge * Int(packetsPerSecond) * packetBits }

    public var capacity: Int { Int(Double(liveBitsPerSecond) * headroom) }
}

/// What one kind of regions received, from two seconds before the death on.
public struct ThunderingHerdFlows: Sendable {
    /// Pairs of region and stream.
    public var count = 0
    public var delivered: UInt64 = 0
    public var lost: UInt64 = 0
    /// Handed out twice or out of order.
    public var wrong: UInt64 = 0
    /// Those that get nothing at the end.
    public var unserved = 0
    /// The longest time between two packets of each, in order of length.
    public var gaps: [TimeSpan] = []
    /// Longest way from the encoder to the streaming server.
    public var delayMax = TimeSpan.zero

    public var gapMax: TimeSpan { gaps.last ?? .zero }
    public var gapMedian: TimeSpan { gaps.isEmpty ? .zero : gaps[gaps.count / 2] }
}

/// The figures of one run.
public struct ThunderingHerdReport: Sendable {
    /// Longest gap of a region that had a live parent: the interval of the packets and half as much again.
    public var gapLimit = TimeSpan.zero
    /// Regions that had a live parent, and those whose parent died.
    public var stayed = ThunderingHerdFlows()
    public var moved = ThunderingHerdFlows()
    /// Bits a second.
    public var capacity = 0
    /// Most bits that a set reflector gave to its line in one second.
    public var busiestSecond = 0
    /// Longest wait for the line, and datagrams that did not fit into its queue.
    public var waitMax = TimeSpan.zero
    public var dropped: UInt64 = 0
    public var refusedBusy: UInt64 = 0
    public var backlogSent: UInt64 = 0
    /// From the death until all regions had every stream again.
    public var allServedAfter: TimeSpan?
    /// Most of each that one set reflector held after the death.
    public var linksMax = 0
    public var queuedMax = 0
    public var timersMax = 0
    /// Entries that a full table turned away, over all nodes.
    public var tablesFull: UInt64 = 0
    public var events: UInt64 = 0
    public var digest: UInt64 = 0

    /// Every requirement that does not hold; empty when all hold.
    public var problems: [String] {
        var problems: [String] = []
        func require(_ holds: Bool, _ text: @autoclosure () -> String) { if !holds { problems.append(text()) } }
        require(stayed.lost == 0, "regions with a live parent lost \(stayed.lost) packets")
        require(stayed.wrong + moved.wrong == 0, "\(stayed.wrong + moved.wrong) packets twice or out of order")
        require(
            stayed.gapMax <= gapLimit,
            "a region with a live parent got nothing for \(stayed.gapMax.milliseconds) ms")
        require(moved.lost == 0, "regions that moved lost \(moved.lost) packets")
        require(stayed.unserved + moved.unserved == 0, "\(stayed.unserved + moved.unserved) streams do not flow")
        require(dropped == 0, "\(dropped) datagrams did not fit into a line's queue")
        require(Double(busiestSecond) <= Double(capacity) * 1.02, "a set reflector sent more than its capacity")
        require(tablesFull == 0, "tables turned \(tablesFull) entries away")
        return problems
    }
}
