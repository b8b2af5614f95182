import ReflectorModel

/// The figures of one run.
public struct FaultReport: Sendable {
    public struct Counts: Sendable {
        public var steps: UInt64 = 0
        public var datagrams: UInt64 = 0
        public var dropped: UInt64 = 0
        public var dataSent: UInt64 = 0
        public var crashes = 0
        public var parentChanges = 0
        public var linksDied = 0
        public var unavailable = 0
        public var gapsMax = 0
        public var timersMax = 0
        public var pathsMax = 0
    }

    public var options: FaultOptions
    /// Hash of every datagram, wake-up and fault: equal for equal options, in every process.
    public var digest: UInt64
    public var counts: Counts
    /// Packets delivered and packets missing, over all edges and streams.
    public var delivered: UInt64 = 0
    public var missing: UInt64 = 0
    /// Longest time between two deliveries of a stream at an edge.
    public var gapMax = TimeSpan.zero
    /// Longest time from a viewer's request to the first packet.
    public var firstMax = TimeSpan.zero
    public var sourceChanges = 0
    /// Number of violations of the invariants, and the texts of the first few.
    public var violationCount = 0
    public var violations: [String] = []

    init(options: FaultOptions, digest: UInt64, counts: Counts) {
        self.options = options
        self.digest = digest
        self.counts = counts
    }

    public var isGood: Bool { violationCount == 0 }
    public var lossShare: Double { missing == 0 ? 0 : Double(missing) / Double(delivered + missing) }
    /// The command that reproduces the run.
    public var command: String {
        var command = "reflector simulate --scenario \(options.scenario.rawValue) --seeds \(options.seed)"
        if options.span != .seconds(24) { command += " --seconds \(options.span.milliseconds / 1_000)" }
        if let canary = options.canary { command += " --canary \(canary.rawValue)" }
        return command
    }
}
