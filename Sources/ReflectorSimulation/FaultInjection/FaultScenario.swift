import ReflectorModel

/// The faults of a run, and the loss that they may cause (design §7, §8).
public enum FaultScenario: String, CaseIterable, Sendable {
    /// Nothing goes wrong.
    case steady
    /// Viewers come and go; while there are none, no data may flow.
    case demand
    /// 2 % loss in bursts of 3 on every link.
    case lossy
    /// Datagrams overtake each other and arrive twice.
    case reorderDuplicate = "reorder-duplicate"
    /// The set reflector that an edge fetches from dies.
    case parentDeath = "parent-death"
    /// The portsets file is edited.
    case remap
    /// Nodes of every role crash and come back, or pause.
    case restart
    /// No name server answers while a parent dies.
    case dnsOutage = "dns-outage"
    /// An attacker replays, changes and forges datagrams.
    case hostile
    /// Restarts, pauses, edits, an outage of the name servers, changing viewers, impaired links and an attacker, all at
    /// once.
    case chaos
    /// Nodes with certificates, which are not in the zone, announce streams of other nodes, under their own name and under another, claim wrong
    /// portsets, and request new names without end.
    case insider

    /// Largest share of packets that all edges together may lose in a run; nil: no limit.
    var lossMax: Double? {
        switch self {
        case .steady, .demand, .reorderDuplicate, .parentDeath, .remap, .restart, .dnsOutage, .hostile, .insider: 0
        case .lossy: 0.001
        case .chaos: nil
        }
    }

    var hasInsiders: Bool { self == .insider }
    var hasIntruder: Bool { self == .hostile || self == .chaos }

    /// The impairment of every link, in addition to its delay, until the faults end.
    func impairment(_ random: inout SeededGenerator) -> ImpairmentOptions {
        var options = ImpairmentOptions()
        switch self {
        case .lossy:
            options.loss = 0.02
            options.episode = .datagrams(3)
        case .reorderDuplicate:
            options.reorder = 0.03
            options.duplicate = 0.03
            options.jitter = .milliseconds(1)
            options.reorderDelayMax = .milliseconds(8)
        case .chaos:
            options.loss = 0.03 * random.unit()
            options.episode = random.chance(0.5) ? .datagrams(3) : .independent
            options.reorder = 0.03 * random.unit()
            options.duplicate = 0.03 * random.unit()
            options.jitter = .milliseconds(1)
        default: break
        }
        return options
    }
}

/// A bug that is put in on purpose, to show that the checks of the invariants find it.
public enum Canary: String, CaseIterable, Sendable {
    /// An edge delivers a packet twice.
    case deliverTwice = "deliver-twice"
    /// An edge delivers two packets in the wrong order.
    case swapOrder = "swap-order"
    /// An edge drops a packet without reporting it lost.
    case swallow
    /// Nodes do not verify seals, while an intruder changes payloads.
    case acceptForgeries = "accept-forgeries"
    /// A data packet goes to an address that never made a handshake.
    case strayData = "stray-data"
    /// A node wakes again and again without need.
    case busyLoop = "busy-loop"
}

/// The options of a run: the same options give the same run in every process.
public struct FaultOptions: Sendable {
    public var scenario: FaultScenario
    public var seed: UInt64
    /// Virtual time of the whole run; the last 11 s have no faults.
    public var span: TimeSpan = .seconds(24)
    public var packetsPerSecond = 150
    public var canary: Canary?

    public init(scenario: FaultScenario, seed: UInt64) {
        self.scenario = scenario
        self.seed = seed
    }
}
