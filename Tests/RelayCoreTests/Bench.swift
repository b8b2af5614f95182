import ReflectorModel
import RelayWire

@testable import ReflectorSimulation
@testable import RelayCore

/// A few nodes on a `VirtualNetwork` that delivers everything after 5 ms and records every datagram. `answers` has the
/// answers to look-ups.
final class Bench: NetworkScenario {
    typealias Event = Never

    struct Datagram {
        var from: Endpoint
        var to: Endpoint
        var bytes: [UInt8]
        var type: UInt8 { bytes.first ?? 0 }
    }

    final class Sink: StreamSink {
        var payloads: [[UInt8]] = []
        var lost: UInt64 = 0
        /// If set, packets of other streams are ignored.
        var only: StreamName?
        func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant) {
            if only == nil || only == stream { payloads.append(Array(payload)) }
        }
        func discontinuity(stream: StreamName, lost: UInt64) {
            if only == nil || only == stream { self.lost += lost }
        }
        func ended(stream: StreamName) {}
    }

    static let operatorKey: UInt64 = 0xfeed
    private static let delay = TimeSpan.milliseconds(5)

    let network = VirtualNetwork<Event>()
    /// The number of nodes started so far. Each start gets its own secrets.
    private var lives: UInt64 = 0
    private let batchMax: Int
    /// All datagrams that were sent.
    private(set) var sent: [Datagram] = []
    private(set) var alarms: [RelayAlarm] = []
    private(set) var limits: [Int] = []
    /// The reasons that edges have reported for unavailable streams.
    private(set) var unavailable: [UnavailableReason] = []
    /// Whether each node pulls each stream, as it last asked.
    private(set) var pulls: [String: Bool] = [:]
    /// The nodes that receive each multicast group.
    private(set) var groups: [Endpoint: [VirtualNode]] = [:]
    /// The look-ups of all nodes so far.
    private(set) var questions: [ReflectorName] = []
    /// May replace the zone's answer to the node at an endpoint; nil keeps the zone's answer.
    var lies: (Endpoint, ReflectorName) -> LookUpResult? = { _, _ in nil }
    /// Datagrams for which this is true are lost.
    var loses: (Datagram) -> Bool = { _ in false }
    /// Datagrams to a group for which this is true are lost on their way to the node at an endpoint.
    var losesAt: (Datagram, Endpoint) -> Bool = { _, _ in false }

    init(batchMax: Int = 4) {
        self.batchMax = batchMax
        network.scenario = self
    }

    var now: MonotonicInstant { network.now }
    /// The running nodes.
    var nodes: [(endpoint: Endpoint, node: RelayNode)] {
        network.nodes.compactMap { host in host.relay.map { (host.endpoint, $0) } }
    }
    var answers: [ReflectorName: LookUpResult] {
        get { network.names.answers }
        set { network.names.answers = newValue }
    }

    static func endpoint(_ number: UInt32) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0000 + number), port: 4900)
    }

    static func endpointV6(_ number: UInt32) -> Endpoint {
        Endpoint(address: IPAddress(high: 0x2001_0db8_0000_0000, low: UInt64(number)), port: 4900)
    }

    func add(
        _ name: String, _ role: NodeRole, _ number: UInt32, region: RegionID? = nil, key: UInt64 = operatorKey,
        identity: SimulatedIdentity? = nil, sink: Sink? = nil, _ change: (inout RelayConfiguration) -> Void = { _ in },
        makeMeasurements: (() -> any LinkMeasurements)? = nil
    ) -> RelayNode {
        var configuration = RelayConfiguration(name: name, role: role, region: region)
        configuration.packetsMax = 2_048
        change(&configuration)
        lives += 1
        let crypto = SimulatedCrypto(operatorKey: key, seed: lives)
        let identity = identity ?? SimulatedIdentity(configuration, operatorKey: key)
        let node = RelayNode(
            configuration: configuration, crypto: crypto, handshakes: crypto.handshakes(identity, at: now),
            seed: UInt64(number), sink: sink, makeMeasurements: makeMeasurements, now: now)
        network.add(NodeSetUp(configuration, batchMax: batchMax), running: node, at: Self.endpoint(number))
        return node
    }

    /// Replaces the addresses of a node.
    func setAddresses(_ endpoints: [Endpoint], of node: RelayNode) {
        guard let host = host(of: node) else { return }
        network.setAddresses(endpoints, of: host)
        node.setAddresses(endpoints.map(\.address), at: now)
    }

    /// Forgets what was sent so far.
    func forgetSent() { sent.removeAll(keepingCapacity: true) }

    /// Takes a node off the network.
    func remove(_ node: RelayNode) {
        guard let host = host(of: node) else { return }
        network.setAddresses([], of: host)
        network.crash(host)
    }

    /// Ends a node's process. Its host refuses what still arrives for it.
    func kill(_ node: RelayNode) {
        if let host = host(of: node) { network.crash(host) }
    }

    /// A node's process sleeps: its datagrams wait in its socket.
    func pause(_ node: RelayNode, for span: TimeSpan) {
        if let host = host(of: node) { network.pause(host, until: now + span) }
    }

    private func host(of node: RelayNode) -> VirtualNode? { network.nodes.first { $0.relay === node } }

    /// Delivers a datagram to a node as if it came from `from`.
    func inject(_ bytes: [UInt8], from: Endpoint, to node: RelayNode) {
        bytes.withUnsafeBytes { node.receive($0, from: from, at: now) }
        settle()
    }

    func run(for span: TimeSpan) {
        settle()
        network.run(until: now + span)
    }

    /// Handles the output of nodes that a test has called directly.
    private func settle() {
        for host in network.nodes { network.settle(host) }
    }

    func handle(_ event: Never) {}

    func lookUp(_ name: ReflectorName, by node: VirtualNode) {
        questions.append(name)
        let result = lies(node.endpoint, name) ?? network.names.answer(name)
        node.relay?.lookUpFinished(name, result, at: now)
    }

    func perform(_ action: RelayAction, of node: VirtualNode) {
        switch action {
        case .alarm(let alarm): alarms.append(alarm)
        case .limitPayload(_, let bytes): limits.append(bytes)
        case .unavailable(_, let reason): unavailable.append(reason)
        case .pull(let stream, let isWanted): pulls["\(node.name) \(stream)"] = isWanted
        case .joinGroup(let group): groups[group, default: []].append(node)
        case .leaveGroup(let group): groups[group]?.removeAll { $0 === node }
        case .lookUp, .remember: break
        }
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        guard let source = node.source(of: datagram) else { return }
        let one = Datagram(from: source, to: datagram.destination, bytes: datagram.bytes)
        sent.append(one)
        if datagram.destination.address.isMulticast {
            for member in groups[datagram.destination] ?? [] where member !== node && !losesAt(one, member.endpoint) {
                network.send(one.bytes, from: source, to: member, at: now + Self.delay)
            }
            return
        }
        if !loses(one) { network.send(datagram, from: source, at: now + Self.delay) }
    }

    func data(to endpoint: Endpoint) -> [Datagram] { sent.filter { $0.to == endpoint && $0.type & 0xfe == 0x30 } }
}

/// An entrypoint with one stream, set reflectors, and an edge in r1283 whose parents are the set reflectors, in order.
struct Tree {
    let bench: Bench
    let sink = Bench.Sink()
    let stream: StreamName
    let entrypoint: RelayNode
    private(set) var sets: [RelayNode] = []
    let edge: RelayNode
    private(set) var count: UInt64 = 0

    static let entrypointEndpoint = Bench.endpoint(1)
    static func setEndpoint(_ index: Int) -> Endpoint { Bench.endpoint(10 + UInt32(index)) }
    static let edgeEndpoint = Bench.endpoint(100)

    init?(
        sets count: Int, batchMax: Int = 4, _ change: (inout RelayConfiguration) -> Void = { _ in },
        makeMeasurements: (() -> any LinkMeasurements)? = nil
    ) {
        guard let stream = StreamName("live/news") else { return nil }
        self.stream = stream
        bench = Bench(batchMax: batchMax)
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(
                hosts: [ResolvedHost(name: "ep", endpoint: Self.entrypointEndpoint, priority: 0, weight: 1)],
                ttlSeconds: 20, serial: 1, portset: PortsetID(7)))
        entrypoint = bench.add("ep", .entrypoint, 1)
        for index in 0..<count {
            sets.append(
                bench.add(
                    "set-\(index)", .set, 10 + UInt32(index), region: RegionID(9_000), change,
                    makeMeasurements: makeMeasurements))
        }
        edge = bench.add(
            "edge", .edge, 100, region: RegionID(1283), sink: sink, makeMeasurements: makeMeasurements)
        setParents(Array(0..<count))
        guard entrypoint.provide(stream, at: bench.now) else { return nil }
    }

    /// Makes the set reflectors with these indices the parents n1, n2 and n3 of r1283 in the zone.
    func setParents(_ order: [Int], serial: UInt32 = 1, text: [String] = []) {
        for (rank, index) in zip(ParentRank.allCases, order) {
            bench.answers[.parents(rank, RegionID(1283), PortsetID(7))] = .records(
                LookUpAnswer(
                    hosts: [
                        ResolvedHost(name: "set-\(index)", endpoint: Self.setEndpoint(index), priority: 0, weight: 1)
                    ], ttlSeconds: 2, text: text, serial: serial))
        }
    }

    /// From now on the zone says `none` for a region: an SRV record with the target ".".
    func takeParentsAway(from region: RegionID) {
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, region, PortsetID(7))] = .records(
                LookUpAnswer(hosts: [], ttlSeconds: 2, serial: 2))
        }
    }

    /// Lets the encoder send for a while, one packet every 5 ms.
    mutating func stream(for span: TimeSpan) {
        for _ in 0..<span.milliseconds / 5 {
            count += 1
            withUnsafeBytes(of: count) { entrypoint.ingest($0, stream: stream, at: bench.now) }
            bench.run(for: .milliseconds(5))
        }
    }

    /// The numbers that the edge delivered.
    var numbers: [UInt64] {
        sink.payloads.map { payload in payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
    }

    var isGapless: Bool {
        guard let first = numbers.first else { return false }
        return numbers == Array(first..<first + UInt64(numbers.count))
    }

    var parent: Endpoint? { edge.snapshot.paths.first { $0.isLive }?.parent }
}
