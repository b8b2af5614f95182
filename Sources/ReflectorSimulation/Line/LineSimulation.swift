import ReflectorModel
import RelayCore

/// One stream along a line of nodes, in virtual time. It measures loss, delay and overhead; millions of packets take
/// seconds. The nodes run the code of the daemons; the numbers in the payloads show what was lost.
///
///     encoder ─▶ entrypoint ─▶ set ─▶ … ─▶ set ─▶ edge
///                                      └─▶ set ─▶ edge      (`parents`, `edges`: every edge may fetch from each)
public final class LineSimulation: NetworkScenario {
    enum Event {
        /// The encoder's next packet.
        case packet
    }

    let options: LineOptions
    let stream: StreamName
    let network = VirtualNetwork<Event>()
    private var entrypoint: VirtualNode { network.nodes[0] }
    private var lastSets: [VirtualNode] = []
    private var edges: [VirtualNode] = []
    /// The receivers of the edges, in the order of `edges`.
    private var receivers: [LineReceiver] = []
    /// The link from a sender to a receiver is at index sender · number of nodes + receiver; nil if they have no link.
    private var links: [LinkImpairment?] = []
    private var isLastHop: [Bool] = []
    /// The line that all paths of an edge share: index 2 · edge is the direction to the edge, the next index the
    /// direction back.
    private var accessLines: [LinkImpairment] = []
    /// Streams besides the measured one; the encoder sends the same payloads to all.
    private var otherStreams: [StreamName] = []
    private var number: UInt64 = 0
    private var digest: UInt64
    private var counts = LineReport()
    private var isCounting = false
    /// The encoder sends nothing while this is true.
    public var isEncoderSilent = false
    /// Decides for every datagram whether it is lost, in addition to the impairment of the link.
    public var loses: ((_ from: String, _ to: String, _ bytes: UnsafeRawBufferPointer) -> Bool)?

    /// Returns nil only if the options are invalid.
    public init?(_ options: LineOptions) {
        guard let stream = StreamName("live/news"), options.edges > 0, (1...3).contains(options.parents),
            options.packetsPerSecond > 0, options.parents == 1 || options.sets > 0
        else { return nil }
        self.options = options
        self.stream = stream
        digest = FixedHash.mix(options.seed)
        network.scenario = self
        setUp()
    }

    // MARK: Setting up

    private func setUp() {
        add("ep", .entrypoint, nil)
        for index in 0..<max(options.sets - 1, 0) { add("transit-\(index)", .set, RegionID(8_000 + UInt32(index))) }
        if options.sets > 0 {
            for index in 0..<options.parents { lastSets.append(add("set-\(index)", .set, RegionID(9_000))) }
        } else {
            lastSets = [entrypoint]
        }
        for index in 0..<options.edges {
            let receiver = LineReceiver(counting: stream)
            receivers.append(receiver)
            edges.append(add("edge-\(index)", .edge, RegionID(1_283), sink: receiver))
        }
        setUpLinks()
        setUpNames()
        _ = entrypoint.relay?.provide(stream, at: now)
        network.settle(entrypoint)
        network.schedule(.packet, at: now)
        if options.viewersAt > .zero { run(for: options.viewersAt) }
        for edge in edges {
            edge.relay?.want(stream, at: now)
            network.settle(edge)
        }
    }

    private func setUpLinks() {
        let count = network.nodes.count
        links = Array(repeating: nil, count: count * count)
        isLastHop = Array(repeating: false, count: count * count)
        for index in 1..<count {
            let isLast = network.nodes[index].role == .edge
            let impairment = isLast ? options.lastHop : options.otherHops
            for parent in parents(of: index).map(\.index) {
                for (from, to) in [(parent, index), (index, parent)] {
                    let seed = FixedHash.combine(options.seed, UInt64(from * count + to + 1))
                    links[from * count + to] = LinkImpairment(
                        impairment, trace: isLast ? options.lastHopTrace : nil, seed: seed)
                    isLastHop[from * count + to] = isLast
                }
            }
        }
        guard options.access != ImpairmentOptions() || options.accessTrace != nil else { return }
        accessLines = (0..<2 * edges.count).map {
            LinkImpairment(
                options.access, trace: options.accessTrace,
                seed: FixedHash.combine(options.seed, UInt64(count * count + $0 + 1)))
        }
    }

    private func setUpNames() {
        let portset = PortsetID(7)
        let ttlSeconds: UInt32 = 3_600
        network.names.set(.candidates(stream), to: [entrypoint], portset: portset, ttlSeconds: ttlSeconds)
        network.names.setEmpty(.rootSets(portset))
        network.names.setEmpty(.announceTargets(host: entrypoint.name))
        for node in network.nodes {
            guard let region = node.region else { continue }
            let parents = parents(of: node.index)
            // A region without parents fetches from the stream's entrypoint.
            let named = node.role == .set && parents.first === entrypoint ? [] : parents
            network.names.setParents(named, of: region, for: portset, ttlSeconds: ttlSeconds)
        }
    }

    @discardableResult
    private func add(
        _ name: String, _ role: NodeRole, _ region: RegionID?, sink: LineReceiver? = nil
    ) -> VirtualNode {
        var configuration = RelayConfiguration(name: name, role: role, region: region)
        configuration.packetsMax = Int(options.packetsPerSecond) + 1_024
        configuration.controlBytesMax = 1 << 18
        configuration.playOutDeadline = options.playOutDeadline
        if role == .edge { configuration.pathsMin = options.paths }
        let seed = FixedHash.combine(options.seed, UInt64(network.nodes.count))
        let node = network.add(
            NodeSetUp(configuration, sink: sink, makeMeasurements: options.makeMeasurements, seed: seed))
        network.start(node)
        return node
    }

    private func parents(of index: Int) -> [VirtualNode] {
        let node = network.nodes[index]
        if node.role == .edge { return lastSets }
        guard lastSets.contains(where: { $0 === node }) else { return [network.nodes[index - 1]] }
        return [options.sets > 1 ? network.nodes[options.sets - 1] : entrypoint]
    }

    // MARK: Running

    /// Runs the warm-up and then the number of packets in the options.
    public func run() -> LineReport {
        run(for: options.warmUp)
        startCounting()
        run(for: TimeSpan(nanoseconds: Int64(options.packets) * interval.nanoseconds))
        return finish()
    }

    public var now: MonotonicInstant { network.now }
    /// Datagrams that arrived, packets of the encoder and wake-ups so far.
    public var events: UInt64 { network.steps }
    public var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    public func run(for span: TimeSpan) { network.run(before: now + span) }

    /// Starts a new count, at the links and at the receivers.
    public func startCounting() {
        counts = LineReport()
        counts.hops = Array(repeating: (0, 0, 0), count: network.nodes.count)
        isCounting = true
        for receiver in receivers { receiver.countsFrom = now }
    }

    /// The counts since `startCounting`, without delays and losses: only `finish` takes these from the receivers.
    public var counted: LineReport {
        var counts = counts
        for receiver in receivers { counts.delivered += receiver.delivered }
        return counts
    }

    /// Stops the encoder, waits until all packets have arrived, and returns the report.
    public func finish() -> LineReport {
        isCounting = false
        var report = counts
        isEncoderSilent = true
        run(for: .seconds(2))
        for (edge, receiver) in zip(edges, receivers) {
            report.delivered += receiver.delivered
            report.lost += receiver.lost
            report.wrong += receiver.wrong
            report.episodes += receiver.episodes
            report.delayMax = max(report.delayMax, receiver.delayMax)
            report.gapMax = max(report.gapMax, receiver.gapMax)
            if receiver.delivered > 0 {
                report.delayMean = report.delayMean + receiver.delaySum / Int64(receiver.delivered)
            }
            for counter in RelayCounter.allCases {
                digest = FixedHash.combine(digest, edge.relay?.counters[counter] ?? 0)
            }
        }
        report.delayMean = report.delayMean / Int64(edges.count)
        report.digest = digest
        return report
    }

    func handle(_ event: Event) {
        network.schedule(.packet, at: now + interval)
        guard !isEncoderSilent, now >= entrypoint.pausedUntil, let relay = entrypoint.relay else { return }
        number += 1
        if isCounting { counts.sent += UInt64(edges.count) }
        var payload = (number, now.nanoseconds)
        withUnsafeBytes(of: &payload) { bytes in
            relay.ingest(bytes, stream: stream, at: now)
            for other in otherStreams { relay.ingest(bytes, stream: other, at: now) }
        }
        network.settle(entrypoint)
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        guard let target = network.node(at: datagram.destination) else { return }
        let (from, to, length) = (node.index, target.index, datagram.length)
        let link = from * network.nodes.count + to
        if isCounting { count(datagram, from: from, to: to, isLastHop: isLastHop[link]) }
        guard case .departs(var at, var copyAt)? = links[link]?.admit(bytes: length, at: now) else { return }
        if isLastHop[link], !accessLines.isEmpty {
            let line = to > from ? 2 * (to - edges[0].index) : 2 * (from - edges[0].index) + 1
            guard case .departs(let through, _) = accessLines[line].admit(bytes: length, at: now) else { return }
            at = at + (through - now)
            copyAt = copyAt.map { $0 + (through - now) }
        }
        if let loses, datagram.bytes.withUnsafeBytes({ loses(node.name, target.name, $0) }) { return }
        digest = FixedHash.combine(digest, UInt64(bitPattern: at.nanoseconds) ^ UInt64(length) << 48)
        network.send(datagram, from: node.endpoint, at: at, copyAt: copyAt)
    }

    private func count(_ datagram: OutgoingDatagram, from: Int, to: Int, isLastHop: Bool) {
        let isData = datagram.header[0] & 0xfe == 0x30
        let isRetransmit = datagram.header[0] == 0x31
        let isDown = to > from
        if isDown, isData {
            counts.hops[to].data += 1
            if isRetransmit { counts.hops[to].retransmits += 1 }
            if isLastHop {
                counts.lastHopData += 1
                if isRetransmit { counts.lastHopRetransmits += 1 }
            }
        } else if !isDown {
            counts.hops[from].back += 1
            if isLastHop {
                counts.backDatagrams += 1
                counts.backBytes += UInt64(datagram.length)
            }
        }
    }
}

/// Faults and figures of single nodes, for tests. Nodes are named `ep`, `transit-0` …, `set-0` …, `edge-0` ….
extension LineSimulation {
    /// Ends the process of a node: its state is gone, and datagrams to it are lost.
    public func crash(_ name: String) {
        if let node = network.node(name) { network.crash(node) }
    }

    /// Starts a node that crashed, without any state. Must not be used for the entrypoint or an edge: it would come
    /// back without its streams or viewers.
    public func restart(_ name: String) {
        guard let node = network.node(name), !node.isUp else { return }
        network.start(node)
        network.settle(node)
    }

    /// Pauses a node: datagrams to it wait in its socket.
    public func pause(_ name: String, for span: TimeSpan) {
        if let node = network.node(name) { network.pause(node, until: now + span) }
    }

    /// Sends another stream to the entrypoint, in addition to the measured one.
    public func provide(_ name: StreamName) {
        guard entrypoint.relay?.provide(name, at: now) == true else { return }
        otherStreams.append(name)
        network.names.set(.candidates(name), to: [entrypoint], portset: PortsetID(7), ttlSeconds: 3_600)
        network.settle(entrypoint)
    }

    /// Tells an edge that a viewer wants this stream.
    public func want(_ name: StreamName, at edge: String) {
        guard let node = network.node(edge) else { return }
        node.relay?.want(name, at: now)
        network.settle(node)
    }

    /// Names of the parents from which a node fetches a stream: the measured one, unless `stream` names another.
    public func paths(of name: String, stream: StreamName? = nil) -> [String] {
        let snapshot = network.node(name)?.relay?.snapshot
        return (snapshot?.paths ?? []).filter { $0.stream == stream ?? self.stream }.compactMap {
            network.node(at: $0.parent)?.name
        }
    }

    /// What a node reports about itself.
    public func status(of name: String) -> NodeStatus? {
        guard let node = network.node(name) else { return nil }
        return node.relay?.status(zone: "simulated", endpoint: node.endpoint, at: now)
    }

    /// Number of packets that an edge delivered of all streams except the measured one.
    public func deliveredOfOthers(at name: String) -> UInt64 {
        zip(edges, receivers).first { $0.0.name == name }?.1.deliveredOfOthers ?? 0
    }

    public func counters(of name: String) -> RelayCounters? { network.node(name)?.relay?.counters }
}
