import ReflectorModel
import RelayCore
import RelayWire

/// A set reflector dies, and all its regions come to its neighbours at once: with their handshakes, look-ups, and the
/// packets that they have missed. The lines out of the set reflectors carry their capacity and no more, so whoever sends
/// more than that loses packets of those who had no part in it.
///
///     entrypoints ─▶ set reflectors ─▶ │ line: capacity, queue │ ─▶ edges        each knows n1, and two of the others
///                         ✕ one dies
public final class StampedeSimulation {
    private struct Flight {
        var from: Int
        var to: Int
        var place: Int32
    }

    private static let firstViewer = TimeSpan.seconds(3)
    /// How long before the death counting begins.
    private static let countedBefore = TimeSpan.seconds(2)
    /// Bytes on the wire beside a payload: ours, UDP's and IPv4's.
    static let overhead = WireLimits.dataOverhead + StampedeLine.networkOverhead

    private let options: StampedeOptions
    private let names: [StreamName]
    private var nodes: [LineNode] = []
    private var viewers: [StampedeViewer] = []
    private var lines: [StampedeLine] = []
    private let pool = DatagramPool()
    private var flights = EventQueue<Flight>()
    private var wakes: WakeTree
    /// In order of sending: all streams have the same interval.
    private var packets: [(stream: Int, at: MonotonicInstant)] = []
    private var nextPacket = 0
    private var numbers: [UInt64]
    private var payload: [UInt8]
    private var random: SeededGenerator
    private var now = MonotonicInstant.zero
    private let deathAt: MonotonicInstant
    private var report = StampedeReport()

    private var edgesFrom: Int { options.entrypoints + options.sets }
    private var edges: Int { options.sets * options.edgesPerSet }
    /// The set reflector that dies.
    private var victim: Int { options.entrypoints }

    public init(_ options: StampedeOptions) {
        self.options = options
        names = (0..<options.streams).compactMap { StreamName("live/s\($0)") }
        numbers = Array(repeating: 0, count: options.streams)
        payload = Array(repeating: 0x47, count: max(options.payloadBytes, 24))
        random = SeededGenerator(seed: options.seed)
        deathAt = .zero + Self.firstViewer + options.arrivals + options.settling
        wakes = WakeTree(count: options.entrypoints + options.sets * (1 + options.edgesPerSet))
        report.digest = FixedHash.mix(options.seed)
        report.capacity = options.capacity
        report.gapLimit = interval * 3 / 2
        setUp()
    }

    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    // MARK: Setting up

    private func setUp() {
        for index in 0..<edgesFrom + edges {
            let sink = index < edgesFrom ? nil : makeViewer()
            nodes.append(
                LineNode(
                    index, configuration(index), sink: sink, seed: FixedHash.combine(options.seed, UInt64(index)),
                    at: now))
            let isLimited = (options.entrypoints..<edgesFrom).contains(index)
            lines.append(
                StampedeLine(
                    bitsPerSecond: isLimited ? options.capacity : nil, queue: options.queue, delay: options.delay,
                    seed: UInt64(index)))
        }
        for index in names.indices {
            _ = nodes[index % options.entrypoints].relay?.provide(names[index], at: now)
            packets.append((index, now + random.time(upTo: interval)))
        }
        packets.sort { ($0.at, $0.stream) < ($1.at, $1.stream) }
        for node in nodes { settle(node) }
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
        // A whole ring of its streams; thousands of edges live in one process.
        configuration.packetsMax = 8 * options.streamsPerEdge * Int(options.packetsPerSecond)
        configuration.controlBytesMax = 1 << 16
        return configuration
    }

    private func makeViewer() -> StampedeViewer {
        var chosen: [Int] = []
        while chosen.count < min(options.streamsPerEdge, names.count) {
            let stream = Int(random.next(below: UInt64(names.count)))
            if !chosen.contains(stream) { chosen.append(stream) }
        }
        let viewer = StampedeViewer(streams: chosen, countsFrom: deathAt - Self.countedBefore)
        viewers.append(viewer)
        return viewer
    }

    // MARK: Running

    public func run() -> StampedeReport {
        for place in 0..<edges {
            run(until: .zero + Self.firstViewer + options.arrivals * Int64(place) / Int64(edges))
            let node = nodes[edgesFrom + place]
            for flow in viewers[place].flows { node.relay?.want(names[flow.stream], at: now) }
            settle(node)
        }
        run(until: deathAt)
        nodes[victim].crash()
        wakes.set(victim, .distantFuture)
        while now < deathAt + options.aftermath {
            run(until: now + .milliseconds(100))
            inspect()
        }
        finish()
        return report
    }

    private func run(until end: MonotonicInstant) {
        while true {
            let packet = packets[nextPacket].at
            let next = min(flights.next, packet, wakes.next)
            guard next <= end else { break }
            now = next
            report.events += 1
            if flights.next == next {
                guard let flight = flights.pop() else { continue }
                let node = nodes[flight.to]
                node.relay?.receive(pool[flight.place], from: NodeAddress.endpoint(flight.from), at: now)
                pool.remove(flight.place)
                settle(node)
            } else if packet == next {
                sendPacket()
            } else {
                let node = nodes[wakes.first]
                node.wake(at: now)
                settle(node)
            }
        }
        now = end
    }

    private func sendPacket() {
        let stream = packets[nextPacket].stream
        packets[nextPacket].at = now + interval
        nextPacket = (nextPacket + 1) % packets.count
        numbers[stream] += 1
        let node = nodes[stream % options.entrypoints]
        payload.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: stream, as: Int.self)
            bytes.storeBytes(of: numbers[stream], toByteOffset: 8, as: UInt64.self)
            bytes.storeBytes(of: now.nanoseconds, toByteOffset: 16, as: Int64.self)
            node.relay?.ingest(UnsafeRawBufferPointer(bytes), stream: names[stream], at: now)
        }
        settle(node)
    }

    private func settle(_ node: LineNode) {
        guard let relay = node.relay else { return }
        while let action = relay.nextAction() {
            guard case .lookUp(let name) = action else { continue }
            relay.lookUpFinished(name, answer(name), at: now)
        }
        node.drain(at: now) { entry, header in
            guard let to = NodeAddress.index(of: entry.destination), to < nodes.count,
                let at = lines[node.index].admit(bytes: entry.length, at: now)
            else { return }
            let body = UnsafeRawBufferPointer(start: entry.body, count: Int(entry.bodyLength))
            report.digest = FixedHash.combine(report.digest, UInt64(bitPattern: at.nanoseconds) ^ UInt64(to) << 44)
            flights.schedule(Flight(from: node.index, to: to, place: pool.insert(header, body)), at: at)
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
            return NodeAddress.records([index % options.entrypoints], of: nodes, portset: PortsetID(7))
        case .parents(let rank, let region, _):
            guard let parent = parent(rank: Int(rank.rawValue), of: Int(region.rawValue)) else {
                return .noData(serial: 1)
            }
            return NodeAddress.records([parent], of: nodes)
        case .node: return .noSuchName(serial: 1)
        case .rootSets, .announceTargets: return NodeAddress.records(Array(options.entrypoints..<edgesFrom), of: nodes)
        }
    }

    /// The regions of each set reflector have its neighbours evenly as n2 and n3, as whoever writes a map should see to.
    private func parent(rank: Int, of edge: Int) -> Int? {
        let place = edge - edgesFrom
        guard place >= 0, rank <= options.sets else { return nil }
        let home = place % options.sets
        if rank == 1 { return options.entrypoints + home }
        let others = options.sets - 1
        let step = (place / options.sets + rank - 2) % others
        return options.entrypoints + (home + 1 + step) % options.sets
    }

    // MARK: Judging

    private func inspect() {
        for index in options.entrypoints + 1..<edgesFrom {
            guard let census = nodes[index].relay?.census else { continue }
            report.linksMax = max(report.linksMax, census.childLinks + census.parentLinks)
            report.queuedMax = max(report.queuedMax, census.queued)
            report.timersMax = max(report.timersMax, census.timers)
        }
        // Served: a packet has come since all could have noticed the death, and lately.
        let isServed = viewers.allSatisfy { viewer in
            viewer.flows.allSatisfy { now - $0.lastAt <= interval * 2 }
        }
        if !isServed { report.allServedAfter = nil }
        if isServed, report.allServedAfter == nil { report.allServedAfter = now - deathAt }
    }

    private func finish() {
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
        for node in nodes {
            guard let counters = node.relay?.counters else { continue }
            report.refusedBusy += counters[.subscribesRefusedBusy]
            if node.index >= options.entrypoints { report.backlogSent += counters[.backlogSent] }
            report.tablesFull +=
                counters[.droppedLinkTableFull] + counters[.droppedStreamTableFull] + counters[.droppedQueueFull]
                + counters[.droppedGapTableFull] + counters[.droppedControlFull] + counters[.droppedLookUpTableFull]
        }
    }
}

extension StampedeFlows {
    fileprivate mutating func note(_ flow: StampedeViewer.Flow, isServed: Bool) {
        count += 1
        delivered += flow.delivered
        lost += flow.lost
        wrong += flow.wrong
        if !isServed { unserved += 1 }
        gaps.append(flow.gapMax)
        delayMax = max(delayMax, flow.delayMax)
    }
}
