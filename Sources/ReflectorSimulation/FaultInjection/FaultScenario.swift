import ReflectorModel

/// A kind of faults, with the loss that is allowed under it (design §7, §8).
public enum FaultScenario: String, CaseIterable, Sendable {
    /// Nothing goes wrong.
    case steady
    /// Viewers come and go; without them nothing may flow.
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
    /// No name server answers, and a parent dies meanwhile.
    case dnsOutage = "dns-outage"
    /// An attacker replays, changes and forges datagrams, with a network key or without.
    case hostile
    /// Everything at once.
    case chaos
    /// Nodes with the network key announce streams that are not theirs, under their own and another node's name, claim
    /// wrong portsets, and ask for ever more names.
    case insider

    /// Largest share of packets that an edge may lose while faults last; nil: no limit.
    var lossMax: Double? {
        switch self {
        case .steady, .demand, .reorderDuplicate, .parentDeath, .remap, .restart, .dnsOutage, .hostile, .insider: 0
        case .lossy: 0.001
        case .chaos: nil
        }
    }

    var hasInsiders: Bool { self == .insider }
    var hasIntruder: Bool { self == .hostile || self == .chaos }

    /// What every link does while faults last, besides its delay.
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

/// A deliberate fault of the product, to show that the invariants are really checked.
public enum Canary: String, CaseIterable, Sendable {
    /// An edge hands a packet out twice.
    case deliverTwice = "deliver-twice"
    /// An edge hands two packets out in the wrong order.
    case swapOrder = "swap-order"
    /// An edge drops a packet without reporting it lost.
    case swallow
    /// Seals are not verified, under an intruder that changes payloads.
    case acceptForgeries = "accept-forgeries"
    /// A data packet goes to an address that never made a handshake.
    case strayData = "stray-data"
    /// A node wakes again and again without need.
    case busyLoop = "busy-loop"
}

/// What to simulate: the same options give the same run, in every process.
public struct FaultOptions: Sendable {
    public var scenario: FaultScenario
    public var seed: UInt64
    /// Virtual time in all; the last 11 s are without faults.
    public var span: TimeSpan = .seconds(24)
    public var packetsPerSecond = 150
    public var canary: Canary?

    public init(scenario: FaultScenario, seed: UInt64) {
        self.scenario = scenario
        self.seed = seed
    }
}
