import DequeModule
import ReflectorModel
import RelayCore

/// Thousands of nodes in virtual time: entrypoints that announce many streams, three layers of set reflectors, and edge
/// regions with a few streams each. Shows that nothing grows with what a node does not carry, and what each node costs.
///
///     entrypoints ─▶ roots ─▶ middle ─▶ near ─▶ edges        every child knows three parents of the layer above
public final class CrowdSimulation {
    private struct Flight {
        var from: Int32
        var to: Int32
        var place: Int32
        var at: MonotonicInstant
    }

    private static let delay = TimeSpan.milliseconds(10)
    private static let firstViewer = TimeSpan.seconds(4)
    /// The regions' viewers come within this time, region by region.
    private static let arrivals = TimeSpan.seconds(4)
    /// The processor's clock is read for one event in so many: reading it costs as much as a small event.
    private static let timedEvery: UInt64 = 16

    private let options: CrowdOptions
    private let names: [StreamName]
    private var nodes: [LineNode] = []
    /// Layer of each node: 0 are entrypoints, the last edges.
    private var layerOf: [Int] = []
    private var layers: [[Int]] = []
    private var costs: [UInt64]
    private let pool = DatagramPool()
    /// All are under way for the same time, so they arrive in order of sending.
    private var flights = Deque<Flight>()
    private var wakes: WakeTree
    /// Streams in order of their next packet: all have the same interval.
    private var packets = Deque<(stream: Int, at: MonotonicInstant)>()
    private var random: SeededGenerator
    private var now = MonotonicInstant.zero
    private var wanted = 0
    private var events: UInt64 = 0
    private var digest: UInt64
    /// Reads the processor's clock, in nanoseconds: only for the report of costs, nothing depends on it.
    private let clock: () -> UInt64

    public init(_ options: CrowdOptions, clock: @escaping () -> UInt64) {
        self.options = options
        self.clock = clock
        random = SeededGenerator(seed: options.seed)
        digest = FixedHash.mix(options.seed)
        wakes = WakeTree(count: options.entrypoints + options.layers.reduce(0, +) + options.edges)
        names = (0..<options.streams).compactMap { StreamName("live/s\($0)") }
        costs = Array(repeating: 0, count: options.layers.count + 2)
        setUp()
    }

    private func setUp() {
        let counts = [options.entrypoints] + options.layers + [options.edges]
        for (layer, count) in counts.enumerated() {
            let members = (0..<count).map { nodes.count + $0 }
            layers.append(members)
            for (place, index) in members.enumerated() {
                var configuration = RelayConfiguration(
                    name: "n\(layer)-\(place)",
                    role: layer == 0 ? .entrypoint : layer == counts.count - 1 ? .edge : .set,
                    region: layer == 0 ? nil : RegionID(UInt32(layer * 100_000 + place)))
                // An edge must hold what its streams begin with at once; the others two seconds of what passes.
                let passing = min(options.streams, options.edges * options.streamsPerEdge / count + 1)
                let twoSeconds = 2 * Int(options.packetsPerSecond) * passing
                configuration.packetsMax = layer == counts.count - 1 ? 640 : max(options.ringPacketsMin, twoSeconds)
                nodes.append(
                    LineNode(index, configuration, seed: FixedHash.combine(options.seed, UInt64(index)), at: now))
                layerOf.append(layer)
            }
        }
        for index in names.indices {
            let entrypoint = layers[0][index % options.entrypoints]
            _ = nodes[entrypoint].relay?.provide(names[index], at: now)
            packets.append((index, now + random.time(upTo: interval)))
        }
        packets.sort { ($0.at, $0.stream) < ($1.at, $1.stream) }
        for node in nodes { settle(node) }
    }

    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    public func run() -> CrowdReport {
        run(until: .zero + Self.firstViewer)
        let edges = layers[layers.count - 1]
        for (place, edge) in edges.enumerated() {
            run(until: .zero + Self.firstViewer + Self.arrivals * Int64(place) / Int64(edges.count))
            var chosen: Set<Int> = []
            while chosen.count < min(options.streamsPerEdge, names.count) {
                let stream = Int(random.next(below: UInt64(names.count)))
                guard chosen.insert(stream).inserted else { continue }
                wanted += 1
                nodes[edge].relay?.want(names[stream], at: now)
            }
            settle(nodes[edge])
        }
        run(until: now + options.span)
        return report()
    }

    private func run(until end: MonotonicInstant) {
        while true {
            let arrival = flights.first?.at ?? .distantFuture
            let packet = packets.first?.at ?? .distantFuture
            let next = min(arrival, packet, wakes.next)
            guard next <= end else { break }
            now = next
            events += 1
            let isTimed = events % Self.timedEvery == 0
            let began = isTimed ? clock() : 0
            let index: Int
            if arrival == next {
                let flight = flights.removeFirst()
                index = Int(flight.to)
                nodes[index].relay?.receive(pool[flight.place], from: NodeAddress.endpoint(Int(flight.from)), at: now)
                pool.remove(flight.place)
            } else if packet == next {
                let (stream, _) = packets.removeFirst()
                index = layers[0][stream % options.entrypoints]
                packets.append((stream, now + interval))
                var payload = (UInt64(stream), now.nanoseconds)
                withUnsafeBytes(of: &payload) { nodes[index].relay?.ingest($0, stream: names[stream], at: now) }
            } else {
                index = wakes.first
                nodes[index].wake(at: now)
            }
            settle(nodes[index])
            if isTimed { costs[layerOf[index]] += Self.timedEvery * (clock() - began) }
        }
        now = end
    }

    private func settle(_ node: LineNode) {
        guard let relay = node.relay else { return }
        while let action = relay.nextAction() {
            guard case .lookUp(let name) = action else { continue }
            relay.lookUpFinished(name, answer(name), at: now)
        }
        node.drain(at: now) { entry, header in
            guard let to = NodeAddress.index(of: entry.destination), to < nodes.count else { return }
            guard !random.chance(options.loss) else { return }
            let body = UnsafeRawBufferPointer(start: entry.body, count: Int(entry.bodyLength))
            let place = pool.insert(header, body)
            digest = FixedHash.combine(digest, UInt64(bitPattern: now.nanoseconds) ^ UInt64(to) << 44)
            flights.append(
                Flight(from: Int32(node.index), to: Int32(to), place: place, at: now + Self.delay))
        }
        node.wakeAt = relay.nextTimeout
        wakes.set(node.index, node.wakeAt)
    }

    // MARK: Names

    private func answer(_ name: ReflectorName) -> LookUpResult {
        switch name {
        case .candidates(let stream):
            guard let index = Int(stream.text.dropFirst("live/s".count)), names.indices.contains(index) else {
                return .noSuchName(serial: 1)
            }
            return NodeAddress.records([layers[0][index % options.entrypoints]], of: nodes, portset: PortsetID(7))
        case .parents(let rank, let region, _):
            let layer = Int(region.rawValue / 100_000)
            let place = Int(region.rawValue % 100_000)
            guard layer > 1, layer < layers.count else { return .noData(serial: 1) }
            let above = layers[layer - 1]
            guard Int(rank.rawValue) <= above.count else { return .noData(serial: 1) }
            return NodeAddress.records([above[(place + Int(rank.rawValue) - 1) % above.count]], of: nodes)
        case .node: return .noSuchName(serial: 1)
        case .rootSets, .announceTargets: return NodeAddress.records(layers[1], of: nodes)
        }
    }

    private func report() -> CrowdReport {
        var report = CrowdReport()
        report.events = events
        report.digest = digest
        report.wanted = wanted
        for (number, members) in layers.enumerated() {
            let name = number == 0 ? "entrypoints" : number == layers.count - 1 ? "edges" : "sets \(number)"
            var layer = CrowdReport.Layer(name: name, nodes: members.count, nanoseconds: costs[number])
            for index in members {
                guard let relay = nodes[index].relay else { continue }
                let census = relay.census
                layer.streams += census.streams
                layer.links += census.parentLinks + census.childLinks
                layer.datagramsIn += relay.counters[.datagramsReceived]
                layer.datagramsOut += relay.counters[.dataSent]
                layer.controlOut += relay.counters[.controlSent]
                layer.retransmitsAsked += relay.counters[.nakNumbersAsked]
                report.delivered += relay.counters[.delivered]
                report.lost += relay.counters[.lost]
                if number == layers.count - 1 {
                    report.flowing += Set(census.paths.filter(\.isLive).map(\.stream)).count
                }
            }
            report.layers.append(layer)
        }
        return report
    }
}
