import ReflectorModel

/// An event from outside that an election must survive.
enum ElectionFault: Equatable {
    case crash(host: Int)
    case start(host: Int)
    /// The node does not run for a while; datagrams to it wait in its socket.
    case pause(host: Int, TimeSpan)
    /// No datagram passes from one host to another.
    case cut(from: Int, to: Int)
    case mend(from: Int, to: Int)
    /// No datagram passes from the first hosts to the others, nor back if `isBothWays`.
    case partition([Int], isBothWays: Bool)
    case mendAll
    /// The line between the encoder of a stream and one of its entrypoints changes.
    case encoder(stream: Int, entrypoint: Int, SimulatedEncoder.Line)
    case edit(stream: Int, ElectionEdit)
    case nameServers(isDown: Bool)
    /// From now on links only delay datagrams, and every node runs.
    case calm
}

/// A change of a stream's candidate list.
enum ElectionEdit: Equatable {
    case reorder([String])
    case remove(String)
    case pin(String?)
    case bar([String])
}

/// The faults of a run and their instants, which follow from the seed.
struct ElectionFaultPlan {
    private(set) var faults: [(at: MonotonicInstant, fault: ElectionFault)] = []
    private let window: Range<MonotonicInstant>
    private let topology: ElectionTopology

    init(in topology: ElectionTopology, window: Range<MonotonicInstant>, _ random: inout SeededGenerator) {
        self.topology = topology
        self.window = window
        for _ in 0..<4 + Int(random.next(below: 5)) { addOne(&random) }
        add(.calm, at: window.upperBound)
    }

    private mutating func add(_ fault: ElectionFault, at: MonotonicInstant) {
        faults.append((min(at, window.upperBound), fault))
    }

    private mutating func addOne(_ random: inout SeededGenerator) {
        let at = window.lowerBound + random.time(upTo: window.upperBound - window.lowerBound)
        let length = TimeSpan.milliseconds(100) + random.time(upTo: random.chance(0.5) ? .seconds(1) : .seconds(8))
        let all = Array(topology.hosts.indices)
        switch random.next(below: 10) {
        case 0, 1:
            let role = random.pick([topology.entrypoints, topology.entrypoints, topology.sets, topology.edges])
            let host = random.pick(role)
            add(.crash(host: host), at: at)
            add(.start(host: host), at: at + length)
        case 2: add(.pause(host: random.pick(all), length / 2), at: at)
        case 3, 4:
            let (from, to) = (random.pick(all), random.pick(all))
            let isBothWays = random.chance(0.5)
            add(.cut(from: from, to: to), at: at)
            add(.mend(from: from, to: to), at: at + length)
            guard isBothWays else { return }
            add(.cut(from: to, to: from), at: at)
            add(.mend(from: to, to: from), at: at + length)
        case 5:
            add(.partition(all.filter { _ in random.chance(0.5) }, isBothWays: random.chance(0.5)), at: at)
            add(.mendAll, at: at + length)
        case 6, 7:
            let stream = Int(random.next(below: UInt64(topology.zone.streams.count)))
            let line: SimulatedEncoder.Line = random.chance(0.5) ? .closed : .silent
            let one = random.pick(topology.entrypoints)
            let entrypoints = random.chance(0.3) ? topology.entrypoints : [one]
            for entrypoint in entrypoints {
                add(.encoder(stream: stream, entrypoint: entrypoint, line), at: at)
                add(.encoder(stream: stream, entrypoint: entrypoint, .up), at: at + length)
            }
        case 8: addEdit(at: at, &random)
        default:
            add(.nameServers(isDown: true), at: at)
            add(.nameServers(isDown: false), at: at + length)
        }
    }

    private mutating func addEdit(at: MonotonicInstant, _ random: inout SeededGenerator) {
        let stream = Int(random.next(below: UInt64(topology.zone.streams.count)))
        let name = random.pick(ElectionTopology.candidates)
        switch random.next(below: 4) {
        case 0:
            var order = ElectionTopology.candidates
            order.shuffle(using: &random)
            add(.edit(stream: stream, .reorder(order)), at: at)
        case 1: add(.edit(stream: stream, .remove(name)), at: at)
        case 2: add(.edit(stream: stream, .pin(random.chance(0.2) ? nil : name)), at: at)
        default: add(.edit(stream: stream, .bar(random.chance(0.3) ? [] : [name])), at: at)
        }
    }
}
