import ReflectorModel
import RelayCore
import RelayWire

/// A set reflector dies, and all its regions move to its neighbours at once. They send handshakes, and request the
/// packets that they missed. The outgoing line of a set reflector carries its capacity and no more, so a set reflector
/// that sends more loses packets of regions that the death did not affect.
///
///     entrypoints ─▶ set reflectors ─▶ │ line: capacity, queue │ ─▶ edges        each knows n1, and two of the others
///                         ✕ one dies
public final class ThunderingHerdSimulation: NetworkScenario {
    enum Event {
        /// The next packet of a stream's encoder.
        case packet(stream: Int)
    }

    private static let firstViewer = TimeSpan.seconds(3)
    /// Deliveries are counted from this long before the death on.
    private static let countedBefore = TimeSpan.seconds(2)
    /// Bytes on the wire in addition to a payload: our headers, UDP and IPv4.
    static let overhead = WireLimits.dataOverhead + EgressLine.networkOverhead

    private let options: ThunderingHerdOptions
    private let streams: [StreamName]
    let network = VirtualNetwork<Event>()
    private var viewers: [HerdViewer] = []
    private var lines: [EgressLine] = []
    /// The number of the newest packet of each stream.
    private var numbers: [UInt64]
    private var payload: [UInt8]
    private var random: SeededGenerator
    private let deathAt: MonotonicInstant
    private var report = ThunderingHerdReport()

    private var now: MonotonicInstant { network.now }
    private var edgesFrom: Int { options.entrypoints + options.sets }
    private var edges: Int { options.sets * options.edgesPerSet }
    /// The set reflector that dies.
    private var victim: VirtualNode { network.nodes[options.entrypoints] }
    private var setReflectors: ArraySlice<VirtualNode> { network.nodes[options.entrypoints..<edgesFrom] }

    public init(_ options: ThunderingHerdOptions) {
        self.options = options
        streams = (0..<options.streams).compactMap { StreamName("live/s\($0)") }
        numbers = Array(repeating: 0, count: options.streams)
        payload = Array(repeating: 0x47, count: max(options.payloadBytes, 24))
        random = SeededGenerator(seed: options.seed)
        deathAt = .zero + Self.firstViewer + options.arrivals + options.settling
        report.digest = FixedHash.mix(options.seed)
        report.capacity = options.capacity
        report.gapLimit = interval * 3 / 2
        network.scenario = self
        setUpNodes()
        setUpStreams()
        setUpNames()
        for node in network.nodes { network.settle(node) }
    }

    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    // MARK: Setting up

    private func setUpNodes() {
        for index in 0..<edgesFrom + edges {
            let sink = index < edgesFrom ? nil : makeViewer()
            let node = network.add(
                NodeSetUp(configuration(index), sink: sink, seed: FixedHash.combine(options.seed, UInt64(index))))
            network.start(node)
            lines.append(
                EgressLine(
                    bitsPerSecond: node.role == .set ? options.capacity : nil, queue: options.queue,
                    delay: options.delay, seed: UInt64(index)))
        }
    }

    private func setUpStreams() {
        var first: [(stream: Int, at: MonotonicInstant)] = []
        for (index, stream) in streams.enumerated() {
            _ = network.nodes[index % options.entrypoints].relay?.provide(stream, at: now)
            first.append((index, now + random.time(upTo: interval)))
        }
        for (stream, at) in first.sorted(by: { ($0.at, $0.stream) < ($1.at, $1.stream) }) {
            network.schedule(.packet(stream: stream), at: at)
        }
    }

    private func setUpNames() {
        let portset = PortsetID(7)
        for (index, stream) in streams.enumerated() {
            network.names.set(.candidates(stream), to: [network.nodes[index % options.entrypoints]], portset: portset)
        }
        for node in network.nodes[options.entrypoints...] {
            guard let region = node.region else { continue }
            let ranks = 1...min(3, options.sets)
            let parents = node.role == .edge ? ranks.map { parent(rank: $0, of: node.index) } : []
            network.names.setParents(parents, of: region, for: portset)
        }
        network.names.set(.rootSets(portset), to: Array(setReflectors))
        for entrypoint in network.nodes[..<options.entrypoints] {
            network.names.set(.announceTargets(host: entrypoint.name), to: Array(setReflectors))
        }
    }

    /// The parent of this rank of an edge. The edges of a set reflector use its neighbours as n2 and n3 in equal
    /// shares, as in a good map.
    private func parent(rank: Int, of edge: Int) -> VirtualNode {
        let place = edge - edgesFrom
        let home = place % options.sets
        if rank == 1 { return network.nodes[options.entrypoints + home] }
        let step = (place / options.sets + rank - 2) % (options.sets - 1)
        return network.nodes[options.entrypoints + (home + 1 + step) % options.sets]
    }

    private func configuration(_ index: Int) -> RelayConfiguration {
        guard index >= edgesFrom else {
            let isSet = index >= options.entrypoints
            var configuration = RelayConfiguration(
                name: "n\(index)", role: isSet ? .set : .entrypoint, region: isSet ? RegionID(UInt32(index)) : nil)
            if isSet, options.declaresCapacity { configuration.capacity = UInt64(options.capacity) }
            return configuration
        }
        var configuration = RelayConfiguration(name: "n\(index)", role: .edge, region: RegionID(UInt32(index)))
        // A small ring, since thousands of edges live in one process.
        configuration.packetsMax = 8 * options.streamsPerEdge * Int(options.packetsPerSecond)
        configuration.controlBytesMax = 1 << 16
        return configuration
    }

    private func makeViewer() -> HerdViewer {
        var chosen: [Int] = []
        while chosen.count < min(options.streamsPerEdge, streams.count) {
            let stream = Int(random.next(below: UInt64(streams.count)))
            if !chosen.contains(stream) { chosen.append(stream) }
        }
        let viewer = HerdViewer(streams: chosen, countsFrom: deathAt - Self.countedBefore)
        viewers.append(viewer)
        return viewer
    }

    // MARK: Running

    public func run() -> ThunderingHerdReport {
        for place in 0..<edges {
            network.run(until: .zero + Self.firstViewer + options.arrivals * Int64(place) / Int64(edges))
            let node = network.nodes[edgesFrom + place]
            for flow in viewers[place].flows { node.relay?.want(streams[flow.stream], at: now) }
            network.settle(node)
        }
        network.run(until: deathAt)
        network.crash(victim)
        while now < deathAt + options.aftermath {
            network.run(until: now + .milliseconds(100))
            inspect()
        }
        finish()
        return report
    }

    func handle(_ event: Event) {
        guard case .packet(let stream) = event else { return }
        network.schedule(event, at: now + interval)
        numbers[stream] += 1
        let node = network.nodes[stream % options.entrypoints]
        payload.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: stream, as: Int.self)
            bytes.storeBytes(of: numbers[stream], toByteOffset: 8, as: UInt64.self)
            bytes.storeBytes(of: now.nanoseconds, toByteOffset: 16, as: Int64.self)
            node.relay?.ingest(UnsafeRawBufferPointer(bytes), stream: streams[stream], at: now)
        }
        network.settle(node)
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        guard let to = network.node(at: datagram.destination),
            let at = lines[node.index].admit(bytes: datagram.length, at: now)
        else { return }
        report.digest = FixedHash.combine(report.digest, UInt64(bitPattern: at.nanoseconds) ^ UInt64(to.index) << 44)
        network.send(datagram, from: node.endpoint, at: at)
    }

    // MARK: Report

    private func inspect() {
        for node in setReflectors where node.isUp {
            guard let snapshot = node.relay?.snapshot else { continue }
            report.linksMax = max(report.linksMax, snapshot.childLinks + snapshot.parentLinks)
            report.queuedMax = max(report.queuedMax, snapshot.queued)
            report.timersMax = max(report.timersMax, snapshot.timers)
        }
        // A stream flows if its newest packet came at most two intervals ago.
        let isServed = viewers.allSatisfy { viewer in
            viewer.flows.allSatisfy { now - $0.lastAt <= interval * 2 }
        }
        if !isServed { report.allServedAfter = nil }
        if isServed, report.allServedAfter == nil { report.allServedAfter = now - deathAt }
    }

    private func finish() {
        report.events = network.steps
        for (place, viewer) in viewers.enumerated() {
            for flow in viewer.flows {
                let isServed = now - flow.lastAt <= interval * 2
                if place % options.sets == 0 {
                    report.moved.note(flow, isServed: isServed)
                } else {
                    report.stayed.note(flow, isServed: isServed)
                }
            }
        }
        report.stayed.gaps.sort()
        report.moved.gaps.sort()
        for line in lines[options.entrypoints..<edgesFrom] {
            report.dropped += line.dropped
            report.waitMax = max(report.waitMax, line.waitMax)
            report.busiestSecond = max(report.busiestSecond, line.busiestSecond)
        }
        for node in network.nodes {
            guard let counters = node.relay?.counters else { continue }
            report.refusedBusy += counters[.subscribesRefusedBusy]
            if node.index >= options.entrypoints { report.backlogSent += counters[.backlogSent] }
            report.tablesFull +=
                counters[.droppedLinkTableFull] + counters[.droppedStreamTableFull] + counters[.droppedQueueFull]
                + counters[.droppedGapTableFull] + counters[.droppedControlFull] + counters[.droppedLookUpTableFull]
        }
    }
}

extension ThunderingHerdFlows {
    fileprivate mutating func note(_ flow: HerdViewer.Flow, isServed: Bool) {
        count += 1
        delivered += flow.delivered
        lost += flow.lost
        wrong += flow.wrong
        if !isServed { unserved += 1 }
        gaps.append(flow.gapMax)
        delayMax = max(delayMax, flow.delayMax)
    }
}
