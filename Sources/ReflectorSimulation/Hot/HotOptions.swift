import ReflectorModel

/// What happens to a hot stream in a `HotSimulation`. Entrypoints are named by their place: 0 is preferred.
public enum HotFault: Sendable, Equatable {
    /// The process ends; it starts again after the span, if there is one.
    case kill(Int, restartAfter: TimeSpan?)
    /// The process stops for a while and then goes on.
    case pause(Int, TimeSpan)
    /// Nothing that the entrypoint sends arrives at the set reflectors any more.
    case cut(Int)
    /// The encoder sends other bytes to this entrypoint from then on.
    case differ(Int)
    /// The entrypoint never gets this many payloads.
    case ingestLoss(Int, payloads: Int)
    /// The encoder loses its connection to the entrypoint and opens another one; this many payloads are lost with it.
    case reconnect(Int, losing: Int)
    /// The encoder sends one and the same payload to this entrypoint from then on.
    case repeatOne(Int)
    /// The encoder sends nothing for a while.
    case silence(TimeSpan)
}

/// A hot stream: two entrypoints get the same payloads and forward them at once, set reflectors merge the feeds, and an
/// edge delivers them.
public struct HotOptions: Sendable {
    public var seed: UInt64 = 1
    public var sets = 1
    /// Paths by which the edge fetches the stream.
    public var paths = 1
    public var packetsPerSecond: Int64 = 200
    /// How much later the second entrypoint gets each payload than the first one; the first one is late if negative.
    public var offset = TimeSpan.zero
    /// The encoder sends this many payloads before the second entrypoint gets its first one.
    public var lateBy: UInt64 = 100
    /// Every link.
    public var link = ImpairmentOptions()
    public var faults: [(at: TimeSpan, fault: HotFault)] = []
    /// How long the encoder sends.
    public var span = TimeSpan.seconds(12)
    /// Packets that the encoder sends from this instant on count: before, the nodes start.
    public var countsFrom = TimeSpan.seconds(4)

    public init(seed: UInt64 = 1) {
        self.seed = seed
        link.delay = .milliseconds(10)
    }
}

/// What an edge delivered in a `HotSimulation`.
public struct HotReport: Sendable, Equatable {
    /// Payloads that the encoder sent while they counted, and how many of those arrived.
    public var sent: UInt64 = 0
    public var delivered: UInt64 = 0
    /// Payloads that arrived later than the play-out deadline (`HotFailures.deadline`) after the encoder sent them.
    public var late: UInt64 = 0
    /// Payloads that came again, or after a later one.
    public var repeated: UInt64 = 0
    /// Payloads that no encoder sent, or that the second encoder sent (`HotFault.differ`).
    public var wrong: UInt64 = 0
    /// Changes to another source or incarnation.
    public var discontinuities: UInt64 = 0
    /// Longest time between two deliveries.
    public var gapMax = TimeSpan.zero
    /// Longest delay of a payload after the encoder sent it.
    public var delayMax = TimeSpan.zero
    /// Numbers that were sealed with two different contents under one key.
    public var sealedTwice: UInt64 = 0

    public var lost: UInt64 { sent - min(delivered, sent) }
}
