import DNSAnswers
import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayCore
import RelayWire

@testable import DNSService

/// A prober and real nodes, connected by a network with a delay of 1 to 40 ms in virtual time.
final class ProbedNetwork {
    private struct Flight {
        var at: MonotonicInstant
        var from: Endpoint
        var to: Endpoint
        var bytes: [UInt8]
    }

    /// The key of the operator who signs the nodes' certificates.
    static let operatorKey: UInt64 = 0xfeed
    private let prober: Prober<SimulatedIdentityCrypto>
    private var nodes: [Endpoint: RelayNode] = [:]
    private var lives: UInt64 = 0
    private var random: SeededGenerator
    private var flying: [Flight] = []
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer
    private let own = Endpoint(address: IPAddress(v4: 0x0a00_00ff), port: 9_999)
    private(set) var now = MonotonicInstant.zero
    let targets: [ProbeTarget]
    /// Nodes that neither receive nor send, as after SIGSTOP; datagrams to them wait.
    var stopped: Set<ProbeTarget> = []
    /// The prober neither receives nor sends.
    var isCutOff = false
    /// Packet loss in percent.
    var lossPercent = 0
    /// Changes of the prober's report, with their times.
    private(set) var reports: [(at: MonotonicInstant, report: ProberReport)] = []
    private var revision: UInt64 = 0
    private(set) var datagrams = 0

    /// - Parameters:
    ///   - identity: the prober's; by default that of a name server.
    ///   - hasBoth: each node also has an IPv6 address, which does not answer until `turn`.
    init(count: Int, seed: UInt64 = 1, identity: SimulatedIdentity? = nil, hasBoth: Bool = false) {
        targets = (1...count).map { number in
            let name = "set-\(number)"
            return ProbeTarget(
                endpoint: Endpoint(address: IPAddress(v4: 0x0a00_0000 + UInt32(number)), port: 4_900),
                other: hasBoth
                    ? Endpoint(address: IPAddress(high: 0x2001_0db8 << 32, low: UInt64(number)), port: 4_900) : nil,
                node: NodeID(name: name), name: name)
        }
        random = SeededGenerator(seed: seed)
        let identity = identity ?? SimulatedIdentity(name: "ns1", .nameServer, operatorKey: Self.operatorKey)
        let crypto = SimulatedCrypto(operatorKey: Self.operatorKey, seed: seed &+ 1_000)
        let identityCrypto = SimulatedIdentityCrypto(seed: seed &+ 2_000)
        prober = Prober(
            identity: ProbeIdentity(
                identityCrypto, credential: identity.credential(identityCrypto), trust: identity.trust,
                seconds: SimulatedIdentity.start, at: now),
            crypto: crypto, seed: seed
        ) { crypto.install($0) }
        headers = .allocate(byteCount: 1 << 16, alignment: 16)
        batch = DatagramBatch(countMax: 16, headers: headers)
        for target in targets { start(target) }
        prober.setTargets(targets, at: now)
        collect()
    }

    deinit { headers.deallocate() }

    /// Starts (or restarts) a node, with its own cookie secret.
    ///
    /// - Parameter name: of the node that runs at the target's address; the target itself by default.
    func start(_ target: ProbeTarget, as name: String? = nil) {
        lives += 1
        var configuration = RelayConfiguration(name: name ?? target.name, role: .set)
        configuration.packetsMax = 64
        let crypto = SimulatedCrypto(operatorKey: Self.operatorKey, seed: lives)
        nodes[target.endpoint] = RelayNode(
            configuration: configuration, crypto: crypto, handshakes: crypto.handshakes(for: configuration, at: now),
            seed: lives, sink: nil, now: now)
    }

    /// The prober learns that these nodes' certificates are revoked.
    func revoke(_ targets: [ProbeTarget]) throws -> Bool {
        prober.replace(
            try SimulatedIdentity.revocations(
                of: targets.map { max($0.node.rawValue, 1) }, sequence: 1, operatorKey: Self.operatorKey))
    }

    /// What prevented probes since the last call.
    var problems: [String: ProbeProblem] {
        Dictionary(prober.takeProblems().map { ($0.target.name, $0.problem) }) { $1 }
    }

    func kill(_ target: ProbeTarget) { nodes[target.endpoint] = nil }

    /// From now on the node can be reached only over its other address family.
    func turn(_ target: ProbeTarget) {
        guard let other = target.other else { return }
        nodes[other] = nodes.removeValue(forKey: target.endpoint)
    }

    func state(_ target: ProbeTarget) -> ZoneContentHealth { prober.monitor.report.health[target] ?? .unprobed }
    var isFrozen: Bool { prober.monitor.isFrozen }
    var counters: ProberCounters { prober.counters }

    /// Advances the time.
    func run(for span: TimeSpan) {
        let end = now + span
        while true {
            let next = min(prober.nextTimeout, flying.map(\.at).min() ?? .distantFuture, nextOfNodes)
            guard next <= end else { break }
            now = max(next, now)
            runNodes()
            deliver()
            if prober.nextTimeout <= now { prober.handleTimeout(at: now) }
            collect()
        }
        now = end
    }

    /// The prober itself pauses: nothing is handled for this long, then everything at once.
    func pause(for span: TimeSpan) {
        let end = now + span
        runNodes()
        // The nodes still answer.
        for flight in flying where flight.to != own {
            hand(flight)
        }
        flying.removeAll { $0.to != own }
        now = end
        deliver()
        prober.handleTimeout(at: now)
        collect()
    }

    private func deliver() {
        let due = flying.filter { $0.at <= now }
        flying.removeAll { $0.at <= now }
        for flight in due {
            if flight.to == own {
                if isCutOff { continue }
                flight.bytes.withUnsafeBytes { prober.receive($0, from: flight.from, at: now) }
            } else {
                hand(flight)
            }
        }
    }

    private func hand(_ flight: Flight) {
        guard let node = nodes[flight.to] else { return }
        if stopped.contains(where: { $0.endpoint == flight.to }) {
            var later = flight
            later.at = now + .milliseconds(100)
            return flying.append(later)
        }
        flight.bytes.withUnsafeBytes { node.receive($0, from: flight.from, at: now) }
        transmit(node, from: flight.to)
    }

    private func transmit(_ node: RelayNode, from endpoint: Endpoint) {
        var more = true
        while more {
            batch.removeAll()
            more = node.transmit(at: now + .milliseconds(1), into: &batch)
            for entry in batch.entries {
                let start = Int(entry.headerOffset)
                send(
                    Array(batch.headers[start..<start + Int(entry.headerLength)]), from: endpoint,
                    to: entry.destination)
            }
            more = more && !batch.isEmpty
        }
    }

    private var running: [(endpoint: Endpoint, node: RelayNode)] {
        nodes.filter { entry in !stopped.contains { $0.endpoint == entry.key } }.map { ($0.key, $0.value) }
            .sorted { "\($0.endpoint)" < "\($1.endpoint)" }
    }

    private var nextOfNodes: MonotonicInstant { running.map(\.node.nextTimeout).min() ?? .distantFuture }

    private func runNodes() {
        for (endpoint, node) in running where node.nextTimeout <= now {
            node.handleTimeout(at: now)
            transmit(node, from: endpoint)
        }
    }

    private func collect() {
        for (destination, bytes) in prober.takeOutput() where !isCutOff { send(bytes, from: own, to: destination) }
        guard prober.monitor.revision != revision else { return }
        revision = prober.monitor.revision
        reports.append((now, prober.monitor.report))
    }

    private func send(_ bytes: [UInt8], from: Endpoint, to: Endpoint) {
        datagrams += 1
        if Int.random(in: 0..<100, using: &random) < lossPercent { return }
        let delay = TimeSpan.milliseconds(Int64.random(in: 1...40, using: &random))
        flying.append(Flight(at: now + delay, from: from, to: to, bytes: bytes))
    }
}
