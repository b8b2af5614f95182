import ReflectorModel
import RelayCore

/// A hot stream under faults, in virtual time.
///
///             ┌─▶ ep-bos ─┐
///     encoder ┤           ├─▶ set-0 (, set-1) ─▶ edge
///             └─▶ ep-nyc ─┘
public final class HotSimulation: NetworkScenario {
    enum Event {
        /// The encoder sends its next payload.
        case encoder
        /// An entrypoint gets a payload.
        case payload(Int, UInt64)
        case fault(HotFault)
        case restart(Int)
    }

    let options: HotOptions
    let network = VirtualNetwork<Event>()
    private let stream: StreamName
    private var receiver: HotReceiver?
    private var links: [LinkImpairment] = []
    private var isCut: [Bool]
    /// The life of the entrypoint's process to which the encoder is connected.
    private var connected = [-1, -1]
    private var differs = [false, false]
    private var repeats = [false, false]
    private var toLose = [0, 0]
    private var hasReconnected = [false, false]
    private var sent: [MonotonicInstant] = []
    private var silentUntil = MonotonicInstant.zero
    private let ledger = SealLedger()
    /// Receives a line of text for each alarm.
    public var trace: ((String) -> Void)?

    private static let portset = PortsetID(7)
    private static let region = RegionID(1_283)

    /// Returns nil only if the options are invalid.
    public init?(_ options: HotOptions) {
        guard let stream = StreamName("live/news"), (1...3).contains(options.sets), options.packetsPerSecond > 0 else {
            return nil
        }
        self.options = options
        self.stream = stream
        isCut = Array(repeating: false, count: 2)
        network.scenario = self
        setUp()
    }

    // MARK: Setting up

    private func setUp() {
        let sink = HotReceiver(countsFrom: .zero + options.countsFrom) { [unowned self] in
            $0 <= UInt64(sent.count) ? sent[Int($0) - 1] : .zero
        }
        receiver = sink
        add("ep-bos", .entrypoint, nil)
        add("ep-nyc", .entrypoint, nil)
        for index in 0..<options.sets { add("set-\(index)", .set, RegionID(9_000)) }
        add("edge", .edge, Self.region, sink: sink)
        let count = network.nodes.count
        links = (0..<count * count).map {
            LinkImpairment(options.link, seed: FixedHash.combine(options.seed, UInt64($0 + 1)))
        }
        setUpNames()
        for node in network.nodes { start(node) }
        network.schedule(.encoder, at: .zero + .milliseconds(200))
        for (at, fault) in options.faults { network.schedule(.fault(fault), at: .zero + at) }
        guard let edge = network.node("edge") else { return }
        edge.relay?.want(stream, at: now)
        network.settle(edge)
    }

    private func add(_ name: String, _ role: NodeRole, _ region: RegionID?, sink: HotReceiver? = nil) {
        var configuration = RelayConfiguration(name: name, role: role, region: region)
        configuration.packetsMax = Int(options.packetsPerSecond) * 8 + 1_024
        configuration.controlBytesMax = 1 << 18
        if role == .edge { configuration.pathsMin = options.paths }
        let seed = FixedHash.combine(options.seed, UInt64(network.nodes.count))
        network.add(NodeSetUp(configuration, sink: sink, seed: seed))
    }

    private func setUpNames() {
        let entrypoints = Array(network.nodes[..<2])
        let sets = Array(network.nodes[2..<2 + options.sets])
        let hosts = entrypoints.enumerated().map { place, node in
            ResolvedHost(name: node.name, endpoint: node.endpoint, priority: UInt16(place), weight: 1)
        }
        network.names.answers[.candidates(stream)] = .records(
            LookUpAnswer(
                hosts: hosts, ttlSeconds: 20, text: ["ingest=push", "standby=hot"], serial: 1, portset: Self.portset))
        network.names.set(.rootSets(Self.portset), to: sets)
        for node in entrypoints { network.names.set(.announceTargets(host: node.name), to: sets) }
        network.names.setParents([], of: RegionID(9_000), for: Self.portset)
        network.names.setParents(sets, of: Self.region, for: Self.portset)
    }

    private func start(_ node: VirtualNode) {
        network.start(node)
        node.crypto?.ledger = ledger
        network.settle(node)
    }

    // MARK: Running

    var now: MonotonicInstant { network.now }
    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    /// Runs to the end and returns what the edge delivered.
    public func run() -> HotReport {
        network.run(before: .zero + options.span + .seconds(3))
        var report = receiver?.report ?? HotReport()
        report.sent = UInt64(sent.count { $0 >= .zero + options.countsFrom })
        report.sealedTwice = ledger.conflicts
        return report
    }

    public func counters(of name: String) -> RelayCounters? { network.node(name)?.relay?.counters }

    /// What a node reports about itself.
    public func status(of name: String) -> NodeStatus? {
        guard let node = network.node(name) else { return nil }
        return node.relay?.status(zone: "simulated", endpoint: node.endpoint, at: now)
    }

    func handle(_ event: Event) {
        switch event {
        case .encoder: encode()
        case .payload(let entrypoint, let number): ingest(number, at: entrypoint, event)
        case .fault(let fault): apply(fault)
        case .restart(let index): if !network.nodes[index].isUp { start(network.nodes[index]) }
        }
    }

    private func encode() {
        guard now < .zero + options.span else { return }
        network.schedule(.encoder, at: now + interval)
        guard now >= silentUntil else { return }
        sent.append(now)
        let number = UInt64(sent.count)
        let (first, second) = (max(.zero - options.offset, .zero), max(options.offset, .zero))
        network.schedule(.payload(0, number), at: now + first)
        if number > options.lateBy { network.schedule(.payload(1, number), at: now + second) }
    }

    private func ingest(_ number: UInt64, at index: Int, _ event: Event) {
        let node = network.nodes[index]
        guard let relay = node.relay else { return }
        // The encoder's connection holds what a paused process does not read.
        guard now >= node.pausedUntil else { return network.schedule(event, at: node.pausedUntil) }
        if connected[index] != node.life {
            guard relay.provide(stream, at: now) else { return }
            connected[index] = node.life
        }
        guard toLose[index] == 0 else { return toLose[index] -= 1 }
        if hasReconnected[index] {
            hasReconnected[index] = false
            guard relay.provide(stream, isContinued: false, at: now) else { return }
        }
        let payload = NumberedPayload(
            stream: 0, session: differs[index] ? 2 : 1, number: repeats[index] ? 1 : number)
        withUnsafeTemporaryAllocation(byteCount: NumberedPayload.lengthMax, alignment: 8) { buffer in
            let length = payload.write(into: buffer)
            relay.ingest(UnsafeRawBufferPointer(rebasing: buffer[..<length]), stream: stream, at: now)
        }
        network.settle(node)
    }

    private func apply(_ fault: HotFault) {
        switch fault {
        case .kill(let index, let span):
            network.crash(network.nodes[index])
            if let span { network.schedule(.restart(index), at: now + span) }
        case .pause(let index, let span): network.pause(network.nodes[index], until: now + span)
        case .cut(let index): isCut[index] = true
        case .differ(let index): differs[index] = true
        case .ingestLoss(let index, let count): toLose[index] = count
        case .reconnect(let index, let count):
            network.nodes[index].relay?.encoderLeft(stream, at: now)
            network.settle(network.nodes[index])
            (toLose[index], hasReconnected[index]) = (count, true)
        case .repeatOne(let index): repeats[index] = true
        case .silence(let span): silentUntil = now + span
        }
    }

    // MARK: Network

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        guard let target = network.node(at: datagram.destination) else { return }
        if node.index < 2, isCut[node.index] { return }
        let link = node.index * network.nodes.count + target.index
        guard case .departs(let at, let copyAt) = links[link].admit(bytes: datagram.length, at: now) else { return }
        network.send(datagram, from: node.endpoint, at: at, copyAt: copyAt)
    }

    func perform(_ action: RelayAction, of node: VirtualNode) {
        if case .alarm(let alarm) = action {
            trace?("\(Double(now.nanoseconds / 1_000) / 1e6) s: \(node.name): \(alarm)")
        }
    }
}
