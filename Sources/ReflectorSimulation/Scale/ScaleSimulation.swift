import ReflectorModel
import RelayCore

/// Thousands of nodes in virtual time: entrypoints that announce many streams, three layers of set reflectors, and edge
/// regions with a few streams each. It shows what each node costs, and that the cost does not grow with streams that
/// the node does not carry.
///
///     entrypoints ─▶ roots ─▶ middle ─▶ near ─▶ edges    (below the roots, every child knows three parents)
public final class ScaleSimulation: NetworkScenario {
    enum Event {
        /// The next packet of a stream's encoder.
        case packet(stream: Int)
    }

    private static let delay = TimeSpan.milliseconds(10)
    private static let firstViewer = TimeSpan.seconds(4)
    /// The viewers come within this time, one region after the other.
    private static let arrivals = TimeSpan.seconds(4)
    /// Only one step in this many is timed, because reading the processor's clock costs as much as a small step.
    private static let timedEvery: UInt64 = 16

    private let options: ScaleOptions
    private let streams: [StreamName]
    let network = VirtualNetwork<Event>()
    /// The layer of each node: 0 for entrypoints, the highest number for edges.
    private var layerOf: [Int] = []
    private var layers: [[VirtualNode]] = []
    /// Processor time of each layer, in nanoseconds.
    private var costs: [UInt64]
    private var random: SeededGenerator
    private var wanted = 0
    private var digest: UInt64
    /// Reads the processor's clock, in nanoseconds. Only the report of costs depends on it.
    private let clock: () -> UInt64

    public init(_ options: ScaleOptions, clock: @escaping () -> UInt64) {
        self.options = options
        self.clock = clock
        random = SeededGenerator(seed: options.seed)
        digest = FixedHash.mix(options.seed)
        streams = (0..<options.streams).compactMap { StreamName("live/s\($0)") }
        costs = Array(repeating: 0, count: options.layers.count + 2)
        network.scenario = self
        setUpNodes()
        setUpNames()
        setUpStreams()
        for node in network.nodes { network.settle(node) }
    }

    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }
    private var now: MonotonicInstant { network.now }
    private func entrypoint(of stream: Int) -> VirtualNode { layers[0][stream % options.entrypoints] }

    // MARK: Setting up

    private func setUpNodes() {
        let counts = [options.entrypoints] + options.layers + [options.edges]
        for (layer, count) in counts.enumerated() {
            let members = (0..<count).map { place in
                let index = network.nodes.count
                let node = network.add(
                    NodeSetUp(
                        configuration(layer: layer, of: counts, place: place),
                        seed: FixedHash.combine(options.seed, UInt64(index))))
                network.start(node)
                layerOf.append(layer)
                return node
            }
            layers.append(members)
        }
    }

    private func configuration(layer: Int, of counts: [Int], place: Int) -> RelayConfiguration {
        let isEdge = layer == counts.count - 1
        var configuration = RelayConfiguration(
            name: "n\(layer)-\(place)", role: layer == 0 ? .entrypoint : isEdge ? .edge : .set,
            region: layer == 0 ? nil : RegionID(UInt32(layer * 100_000 + place)))
        // An edge must have room for the packets with which its streams start; other nodes hold at least two seconds of
        // their streams.
        let passing = min(options.streams, options.edges * options.streamsPerEdge / counts[layer] + 1)
        let twoSeconds = 2 * Int(options.packetsPerSecond) * passing
        configuration.packetsMax = isEdge ? 640 : max(options.ringPacketsMin, twoSeconds)
        return configuration
    }

    private func setUpNames() {
        let portset = PortsetID(7)
        for (index, stream) in streams.enumerated() {
            network.names.set(.candidates(stream), to: [entrypoint(of: index)], portset: portset)
        }
        for layer in layers.indices.dropFirst() {
            for (place, node) in layers[layer].enumerated() {
                guard let region = node.region else { continue }
                // Roots have no parents; each other node has the next three nodes of the layer above.
                let above = layer == 1 ? [] : layers[layer - 1]
                let parents = (0..<min(3, above.count)).map { above[(place + $0) % above.count] }
                network.names.setParents(parents, of: region, for: portset)
            }
        }
        network.names.set(.rootSets(portset), to: layers[1])
        for entrypoint in layers[0] { network.names.set(.announceTargets(host: entrypoint.name), to: layers[1]) }
    }

    private func setUpStreams() {
        var first: [(stream: Int, at: MonotonicInstant)] = []
        for (index, stream) in streams.enumerated() {
            _ = entrypoint(of: index).relay?.provide(stream, at: now)
            first.append((index, now + random.time(upTo: interval)))
        }
        for (stream, at) in first.sorted(by: { ($0.at, $0.stream) < ($1.at, $1.stream) }) {
            network.schedule(.packet(stream: stream), at: at)
        }
    }

    // MARK: Running

    public func run() -> ScaleReport {
        run(until: .zero + Self.firstViewer)
        let edges = layers[layers.count - 1]
        for (place, edge) in edges.enumerated() {
            run(until: .zero + Self.firstViewer + Self.arrivals * Int64(place) / Int64(edges.count))
            var chosen: Set<Int> = []
            while chosen.count < min(options.streamsPerEdge, streams.count) {
                let stream = Int(random.next(below: UInt64(streams.count)))
                guard chosen.insert(stream).inserted else { continue }
                wanted += 1
                edge.relay?.want(streams[stream], at: now)
            }
            network.settle(edge)
        }
        run(until: now + options.span)
        return report()
    }

    /// Like the network's `run`, but also times one step in 16.
    private func run(until end: MonotonicInstant) {
        var isRunning = true
        while isRunning {
            let isTimed = (network.steps + 1) % Self.timedEvery == 0
            let began = isTimed ? clock() : 0
            isRunning = network.step(until: end)
            if isTimed, isRunning { costs[layerOf[network.lastSettled]] += Self.timedEvery * (clock() - began) }
        }
        network.advance(to: end)
    }

    func handle(_ event: Event) {
        guard case .packet(let stream) = event else { return }
        let node = entrypoint(of: stream)
        network.schedule(event, at: now + interval)
        var payload = (UInt64(stream), now.nanoseconds)
        withUnsafeBytes(of: &payload) { node.relay?.ingest($0, stream: streams[stream], at: now) }
        network.settle(node)
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        guard let to = network.node(at: datagram.destination), !random.chance(options.loss) else { return }
        digest = FixedHash.combine(digest, UInt64(bitPattern: now.nanoseconds) ^ UInt64(to.index) << 44)
        network.send(datagram, from: node.endpoint, at: now + Self.delay)
    }

    private func report() -> ScaleReport {
        var report = ScaleReport()
        report.events = network.steps
        report.digest = digest
        report.wanted = wanted
        for (number, members) in layers.enumerated() {
            let name = number == 0 ? "entrypoints" : number == layers.count - 1 ? "edges" : "sets \(number)"
            var layer = ScaleReport.Layer(name: name, nodes: members.count, nanoseconds: costs[number])
            for node in members {
                guard let relay = node.relay else { continue }
                let snapshot = relay.snapshot
                layer.streams += snapshot.streams
                layer.links += snapshot.parentLinks + snapshot.childLinks
                layer.datagramsIn += relay.counters[.datagramsReceived]
                layer.datagramsOut += relay.counters[.dataSent]
                layer.controlOut += relay.counters[.controlSent]
                layer.retransmitsAsked += relay.counters[.nakNumbersAsked]
                report.delivered += relay.counters[.delivered]
                report.lost += relay.counters[.lost]
                if number == layers.count - 1 {
                    report.flowing += Set(snapshot.paths.filter(\.isLive).map(\.stream)).count
                }
            }
            report.layers.append(layer)
        }
        return report
    }
}
