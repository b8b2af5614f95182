import ReflectorModel
import RelayCore

/// The options of a `LineSimulation`: a chain of nodes, one stream, and the impairment of the links.
public struct LineOptions: Sendable {
    /// Number of set reflectors on a path from the entrypoint to an edge; if it is 0, the edges fetch from the
    /// entrypoint.
    public var sets = 1
    /// Number of edges, all with the same parents.
    public var edges = 1
    /// Number of parents of every edge: 1 to 3. More than one requires set reflectors.
    public var parents = 1
    public var packetsPerSecond: Int64 = 1_000
    /// Number of packets that the encoder sends after `warmUp`; only these are counted.
    public var packets: UInt64 = 100_000
    public var warmUp = TimeSpan.seconds(5)
    /// When the viewers come. If it is later than zero, the entrypoint already has packets in its ring by then.
    public var viewersAt = TimeSpan.zero
    public var playOutDeadline = TimeSpan.milliseconds(120)
    /// Minimum number of paths that an edge keeps; a value above 1 needs as many `parents`.
    public var paths = 1
    /// The impairment of the links to the edges, in both directions.
    public var lastHop = ImpairmentOptions()
    /// How `lastHop` changes over time, from the start of the run; nil: it stays the same.
    public var lastHopTrace: ImpairmentTrace?
    /// An access line that all paths of an edge share, in addition to the impairment of each link: one loss process and
    /// one bottleneck for each direction.
    public var access = ImpairmentOptions()
    public var accessTrace: ImpairmentTrace?
    /// The impairment of all links before the last hop, in both directions.
    public var otherHops = ImpairmentOptions()
    /// Makes the store for the measurements of a link; nil: measurements are not kept.
    public var makeMeasurements: (@Sendable () -> any LinkMeasurements)?
    public var seed: UInt64 = 1

    public init() {}
}

/// The figures of one run.
public struct LineReport: Sendable {
    /// Packets that the encoder sent during the count, multiplied by the number of edges.
    public var sent: UInt64 = 0
    public var delivered: UInt64 = 0
    public var lost: UInt64 = 0
    /// Packets delivered out of order, twice or with the wrong length.
    public var wrong: UInt64 = 0
    /// Packets lost in each loss episode.
    public var episodes: [Double] = []
    public var delayMax = TimeSpan.zero
    public var delayMean = TimeSpan.zero
    public var gapMax = TimeSpan.zero
    /// Data packets put on the links to the edges, and how many of them are retransmits.
    public var lastHopData: UInt64 = 0
    public var lastHopRetransmits: UInt64 = 0
    /// Datagrams on the way back from the edges, and their bytes.
    public var backDatagrams: UInt64 = 0
    public var backBytes: UInt64 = 0
    /// The same figures for the links between each node and its parents, at the node's index: data packets,
    /// retransmits, datagrams on the way back.
    public var hops: [(data: UInt64, retransmits: UInt64, back: UInt64)] = []
    /// Hash of every datagram and of the edges' counters: equal for equal options.
    public var digest: UInt64 = 0

    /// By how much the data packets on the last hop exceed one for each packet sent, in per cent.
    public var overheadPercent: Double {
        sent == 0 ? 0 : 100 * (Double(lastHopData) - Double(sent)) / Double(sent)
    }
    public var lossPercent: Double { sent == 0 ? 0 : 100 * Double(lost) / Double(sent) }

    /// Upper 95 % confidence bound of the loss, per cent. It assumes that episodes occur at random (Poisson) and that
    /// their sizes vary as observed.
    public var lossPercentBound: Double {
        guard sent > 0 else { return 100 }
        let sum = episodes.reduce(0, +)
        let squares = episodes.reduce(0) { $0 + $1 * $1 }
        guard sum > 0 else { return 100 * Self.poissonBound(0) / Double(sent) }
        let count = sum * sum / squares
        return 100 * Self.poissonBound(count) / count * sum / Double(sent)
    }

    /// Wilson and Hilferty's upper 95 % bound of a Poisson mean after `count` events.
    private static func poissonBound(_ count: Double) -> Double {
        let next = count + 1
        let root = 1 - 1 / (9 * next) + 1.645 / (3 * next.squareRoot())
        return next * root * root * root
    }
}
