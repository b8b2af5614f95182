import ReflectorModel

/// An event from outside that the simulated network must survive.
enum Fault: Equatable {
    case crash(host: Int)
    case start(host: Int)
    /// The set reflector from which an edge fetches this stream crashes, and restarts later.
    case crashParent(edge: Int, stream: Int, back: TimeSpan)
    /// The node does not run for a while; datagrams to it wait in its socket.
    case pause(host: Int, TimeSpan)
    case edit(RegionID, PortsetID, [RegionID])
    case nameServers(isDown: Bool)
    case want(edge: Int, stream: Int)
    case release(edge: Int, stream: Int)
    /// From now on links only delay datagrams, and every node runs.
    case calm
}

/// The faults of a run and their instants, which follow from the seed. All instants lie in `window`; `calm` is at its
/// end.
struct FaultPlan {
    var faults: [(at: MonotonicInstant, fault: Fault)] = []
    let window: Range<MonotonicInstant>

    init(
        _ scenario: FaultScenario, in network: Topology, window: Range<MonotonicInstant>,
        _ random: inout SeededGenerator
    ) {
        self.window = window
        switch scenario {
        case .steady, .lossy, .reorderDuplicate, .hostile, .insider: break
        case .demand: addViewers(network, &random)
        case .parentDeath: addParentDeaths(network, &random)
        case .remap: addEdits(network, count: 4, &random)
        case .restart:
            for _ in 0..<3 { addRestart(of: network.all, downMax: .milliseconds(2_500), &random) }
            addPause(network, &random)
        case .dnsOutage:
            add(.nameServers(isDown: true), at: window.lowerBound)
            add(.nameServers(isDown: false), at: window.upperBound)
            addParentDeaths(network, &random)
        case .chaos:
            for _ in 0..<3 { addRestart(of: network.all, downMax: .seconds(4), &random) }
            addEdits(network, count: 3, &random)
            addPause(network, &random)
            addPause(network, &random)
            addViewers(network, &random)
            let outage = instant(&random)
            add(.nameServers(isDown: true), at: outage)
            add(.nameServers(isDown: false), at: min(outage + .seconds(4), window.upperBound))
        }
        add(.calm, at: window.upperBound)
    }

    private mutating func add(_ fault: Fault, at: MonotonicInstant) { faults.append((at, fault)) }

    private func instant(_ random: inout SeededGenerator) -> MonotonicInstant {
        window.lowerBound + random.time(upTo: window.upperBound - window.lowerBound)
    }

    /// Adds one death in each half of the window, so that the network recovers between them.
    private mutating func addParentDeaths(_ network: Topology, _ random: inout SeededGenerator) {
        let half = (window.upperBound - window.lowerBound) / 2
        for number in 0..<2 {
            let at = window.lowerBound + half * Int64(number) + random.time(upTo: half / 4)
            let edge = random.pick(network.edges)
            let stream = Int(random.next(below: UInt64(network.zone.streams.count)))
            add(.crashParent(edge: edge, stream: stream, back: half / 2 + random.time(upTo: half / 8)), at: at)
        }
    }

    private mutating func addEdits(_ network: Topology, count: Int, _ random: inout SeededGenerator) {
        for _ in 0..<count {
            let map = random.pick(
                network.zone.maps.filter { map in
                    !network.zone.setRegions.contains { $0.id == map.region }
                })
            var parents = network.zone.setRegions.map(\.id)
            parents.shuffle(using: &random)
            add(.edit(map.region, map.portset, Array(parents.prefix(3))), at: instant(&random))
        }
    }

    private mutating func addRestart(of hosts: [Int], downMax: TimeSpan, _ random: inout SeededGenerator) {
        let host = random.pick(hosts)
        let at = instant(&random)
        add(.crash(host: host), at: at)
        add(.start(host: host), at: min(at + .milliseconds(20) + random.time(upTo: downMax), window.upperBound))
    }

    private mutating func addPause(_ network: Topology, _ random: inout SeededGenerator) {
        add(
            .pause(host: random.pick(network.all), .milliseconds(25) + random.time(upTo: .milliseconds(400))),
            at: instant(&random))
    }

    private mutating func addViewers(_ network: Topology, _ random: inout SeededGenerator) {
        for edge in network.edges {
            let stream = Int(random.next(below: UInt64(network.zone.streams.count)))
            let leaves = instant(&random)
            add(.release(edge: edge, stream: stream), at: leaves)
            add(.want(edge: edge, stream: stream), at: min(leaves + random.time(upTo: .seconds(9)), window.upperBound))
        }
    }
}

extension SeededGenerator {
    /// Uniform in 0..<bound. `bound` must be at least 1.
    mutating func next(below bound: UInt64) -> UInt64 { next().multipliedFullWidth(by: bound).high }

    /// A random element of a list. The list must not be empty.
    mutating func pick<Element>(_ list: [Element]) -> Element { list[Int(next(below: UInt64(list.count)))] }
}
