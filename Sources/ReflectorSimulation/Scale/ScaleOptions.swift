import ReflectorModel
import RelayCore

/// The options of a `ScaleSimulation`. The defaults describe the large run, which must complete.
public struct ScaleOptions: Sendable {
    public var edges = 1_000
    /// Number of entrypoints, and numbers of set reflectors in the three layers below them: roots, middle, and next to
    /// the edges.
    public var entrypoints = 10
    public var layers = [5, 10, 50]
    /// Number of announced streams. They are spread over the entrypoints.
    public var streams = 10_000
    public var streamsPerEdge = 20
    public var packetsPerSecond: Int64 = 5
    /// Virtual time for which the run continues after the last viewer has come.
    public var span = TimeSpan.seconds(60)
    /// Share of datagrams lost on every link.
    public var loss = 0.001
    /// Minimum size of the ring of an entrypoint or a set reflector, in packets; the ring always holds two seconds of
    /// the node's streams.
    public var ringPacketsMin = 8_192
    public var seed: UInt64 = 1

    public init() {}
}

/// The figures of one run, and what it cost.
public struct ScaleReport: Sendable {
    public struct Layer: Sendable {
        public var name: String
        public var nodes = 0
        /// Streams and links at the end, over all nodes of the layer.
        public var streams = 0
        public var links = 0
        public var datagramsIn: UInt64 = 0
        public var datagramsOut: UInt64 = 0
        public var controlOut: UInt64 = 0
        /// Processor time spent in the layer's nodes, in nanoseconds.
        public var nanoseconds: UInt64 = 0
        public var retransmitsAsked: UInt64 = 0
    }
    public var layers: [Layer] = []
    public var delivered: UInt64 = 0
    /// Packets that the edges reported lost.
    public var lost: UInt64 = 0
    /// Pairs of an edge and a stream that it wants, and how many of these flow at the end.
    public var wanted = 0
    public var flowing = 0
    public var events: UInt64 = 0
    /// Hash of every datagram: equal for equal options.
    public var digest: UInt64 = 0
}
