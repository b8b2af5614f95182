import ReflectorModel
import ReflectorSimulation
import RelayWire

@testable import RelayCore

/// A few nodes joined by a perfect network of 5 ms, with every datagram in sight. No zone: look-ups are answered from
/// `answers`.
final class Bench {
    struct Datagram {
        var from: Endpoint
        var to: Endpoint
        var bytes: [UInt8]
        var type: UInt8 { bytes.first ?? 0 }
    }

    final class Sink: StreamSink {
        var payloads: [[UInt8]] = []
        var lost: UInt64 = 0
        /// If set, what comes of other streams is not looked at.
        var only: StreamName?
        func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, at now: MonotonicInstant) {
            if only == nil || only == stream { payloads.append(Array(payload)) }
        }
        func discontinuity(stream: StreamName, lost: UInt64) {
            if only == nil || only == stream { self.lost += lost }
        }
        func ended(stream: StreamName) {}
    }

    static let networkKey: UInt64 = 0xfeed
    private(set) var now = MonotonicInstant.zero
    private(set) var nodes: [(endpoint: Endpoint, node: RelayNode)] = []
    /// Nodes so far: each has secrets of its own, also one that starts anew.
    private var lives: UInt64 = 0
    private var flying: [(at: MonotonicInstant, datagram: Datagram)] = []
    /// Everything that was sent.
    private(set) var sent: [Datagram] = []
    var answers: [ReflectorName: LookUpResult] = [:]
    private(set) var alarms: [RelayAlarm] = []
    /// Of nodes with several: the first is their `endpoint`. Their numbers are places here, from 1 on.
    private var addresses: [ObjectIdentifier: [Endpoint]] = [:]
    private(set) var limits: [Int] = []
    /// What edges said of streams that cannot be had.
    private(set) var unavailable: [UnavailableReason] = []
    /// Questions of all nodes so far.
    private(set) var questions: [ReflectorName] = []
    /// What a node at an address believes instead of the zone; nil for what it does not lie about.
    var lies: (Endpoint, ReflectorName) -> LookUpResult? = { _, _ in nil }
    /// Datagrams for which this is true are lost.
    var loses: (Datagram) -> Bool = { _ in false }
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer

    init(batchMax: Int = 4) {
        headers = .allocate(byteCount: 1_500 * 64, alignment: 16)
        batch = DatagramBatch(countMax: batchMax, headers: headers)
    }

    deinit { headers.deallocate() }

    static func endpoint(_ number: UInt32) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0000 + number), port: 4900)
    }

    func add(
        _ name: String, _ role: NodeRole, _ number: UInt32, region: RegionID? = nil, key: UInt64 = networkKey,
        sink: Sink? = nil, _ change: (inout RelayConfiguration) -> Void = { _ in },
        makeMeasurements: (() -> any LinkMeasurements)? = nil
    ) -> RelayNode {
        var configuration = RelayConfiguration(name: name, role: role, region: region)
        configuration.packetsMax = 2_048
        change(&configuration)
        lives += 1
        let crypto = SimulatedCrypto(networkKeys: [key], seed: lives)
        let node = RelayNode(
            configuration: configuration, crypto: crypto, seed: UInt64(number), sink: sink,
            makeMeasurements: makeMeasurements, now: now)
        nodes.append((Self.endpoint(number), node))
        return node
    }

    static func endpointV6(_ number: UInt32) -> Endpoint {
        Endpoint(address: IPAddress(high: 0x2001_0db8_0000_0000, low: UInt64(number)), port: 4900)
    }

    /// Gives a node these addresses instead of the one it has.
    func setAddresses(_ endpoints: [Endpoint], of node: RelayNode) {
        guard let place = nodes.firstIndex(where: { $0.node === node }) else { return }
        nodes[place].endpoint = endpoints[0]
        addresses[ObjectIdentifier(node)] = endpoints
        node.setAddresses(endpoints.map(\.address), at: now)
    }

    private func deliver(_ datagram: Datagram) {
        for (endpoint, node) in nodes {
            let all = addresses[ObjectIdentifier(node)] ?? [endpoint]
            guard let place = all.firstIndex(of: datagram.to) else { continue }
            datagram.bytes.withUnsafeBytes {
                node.receive($0, from: datagram.from, to: UInt8(place + 1), at: now)
            }
            return
        }
    }

    /// Where a datagram leaves: at the address with the number, else at the first one of the family.
    private func source(of entry: DatagramBatch.Entry, _ node: RelayNode, else endpoint: Endpoint) -> Endpoint? {
        guard let all = addresses[ObjectIdentifier(node)] else { return endpoint }
        let named = entry.local == 0 ? nil : all[Int(entry.local) - 1]
        let isV4 = entry.destination.address.isV4
        return named ?? all.first { $0.address.isV4 == isV4 }
    }
    /// Lets go of what was sent so far.
    func forgetSent() { sent.removeAll(keepingCapacity: true) }

    func remove(_ node: RelayNode) { nodes.removeAll { $0.node === node } }

    /// Puts a datagram before a node as if it came from `from`.
    func inject(_ bytes: [UInt8], from: Endpoint, to node: RelayNode) {
        bytes.withUnsafeBytes { node.receive($0, from: from, at: now) }
        settle()
    }

    func run(for span: TimeSpan) {
        let end = now + span
        settle()
        while true {
            let next = min(
                flying.map(\.at).min() ?? .distantFuture, nodes.map(\.node.nextTimeout).min() ?? .distantFuture)
            guard next <= end else { break }
            now = max(now, next)
            let due = flying.filter { $0.at <= now }
            flying.removeAll { $0.at <= now }
            for (_, datagram) in due { deliver(datagram) }
            for (_, node) in nodes { node.handleTimeout(at: now) }
            settle()
        }
        now = end
    }

    private func settle() {
        for (endpoint, node) in nodes {
            while let action = node.nextAction() {
                if case .alarm(let alarm) = action { alarms.append(alarm) }
                if case .limitPayload(_, let bytes) = action { limits.append(bytes) }
                if case .unavailable(_, let reason) = action { unavailable.append(reason) }
                guard case .lookUp(let name) = action else { continue }
                questions.append(name)
                let result = lies(endpoint, name) ?? answers[name] ?? .noSuchName(serial: 1)
                node.lookUpFinished(name, result, at: now)
            }
            while node.hasOutput(at: now) {
                batch.removeAll()
                _ = node.transmit(at: now, into: &batch)
                for entry in batch.entries {
                    if let source = source(of: entry, node, else: endpoint) { send(entry, from: source) }
                }
            }
        }
    }

    private func send(_ entry: DatagramBatch.Entry, from: Endpoint) {
        let start = Int(entry.headerOffset)
        var bytes = Array(headers[start..<start + Int(entry.headerLength)])
        bytes += UnsafeRawBufferPointer(start: entry.body, count: Int(entry.bodyLength))
        let datagram = Datagram(from: from, to: entry.destination, bytes: bytes)
        sent.append(datagram)
        if !loses(datagram) { flying.append((now + .milliseconds(5), datagram)) }
    }

    func data(to endpoint: Endpoint) -> [Datagram] { sent.filter { $0.to == endpoint && $0.type & 0xfe == 0x30 } }
}

/// An entrypoint with one stream, set reflectors, and an edge in r1283 that may fetch from them in this order.
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

    /// What the zone says from now on: n1, n2, n3.
    func setParents(_ order: [Int], serial: UInt32 = 1, text: [String] = []) {
        for (rank, index) in zip(ParentRank.allCases, order) {
            bench.answers[.parents(rank, RegionID(1283), PortsetID(7))] = .records(
                LookUpAnswer(
                    hosts: [
                        ResolvedHost(name: "set-\(index)", endpoint: Self.setEndpoint(index), priority: 0, weight: 1)
                    ], ttlSeconds: 2, text: text, serial: serial))
        }
    }

    /// The zone says `none` for a region: SRV with the target ".".
    func takeParentsAway(from region: RegionID) {
        for rank in ParentRank.allCases {
            bench.answers[.parents(rank, region, PortsetID(7))] = .records(
                LookUpAnswer(hosts: [], ttlSeconds: 2, serial: 2))
        }
    }

    /// Lets the encoder send for a while, a packet each 5 ms.
    mutating func stream(for span: TimeSpan) {
        for _ in 0..<span.milliseconds / 5 {
            count += 1
            withUnsafeBytes(of: count) { entrypoint.ingest($0, stream: stream, at: bench.now) }
            bench.run(for: .milliseconds(5))
        }
    }

    /// Numbers that the edge handed out.
    var numbers: [UInt64] {
        sink.payloads.map { payload in payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
    }

    var isGapless: Bool {
        guard let first = numbers.first else { return false }
        return numbers == Array(first..<first + UInt64(numbers.count))
    }

    var parent: Endpoint? { edge.census.paths.first { $0.isLive }?.parent }
}
