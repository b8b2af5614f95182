import ReflectorModel
import RelayCore
import RelayWire

/// A whole reflector network under injected faults: the same `RelayNode`s as in the daemons, a network that loses and
/// reorders datagrams, and a name server that changes its zone and fails. One seed decides the whole run, so that every
/// failure can be reproduced.
///
/// ```
/// |── warm-up ──|── faults, from the plan ──|── calm: 10 s to recover ──|── everything must flow ──|
/// ```
/// The invariants of design §7 are checked at every datagram, delivery and wake-up, and at regular inspections.
/// Liveness is checked after the recovery and at the end.
public final class FaultSimulation: NetworkScenario {
    enum Event {
        case encoder(stream: Int, entrypoint: Int)
        /// A query on its way to the name server, and a response on its way back.
        case question(host: Int, life: Int, ReflectorName)
        case answer(host: Int, life: Int, ReflectorName, LookUpResult)
        case fault(Fault)
        case inspect
        case intrude
        case insiders
        case checkLiveness
    }

    /// An encoder of one stream at one entrypoint.
    struct Encoder {
        var session: UInt64 = 0
        var number: UInt64 = 0
        var life = -1
    }

    static let faultsFrom = TimeSpan.seconds(4)
    static let recovery = TimeSpan.seconds(10)
    static let tail = TimeSpan.seconds(1)
    static let violationsMax = 100

    let options: FaultOptions
    let topology: Topology
    var zone: SimulatedZone
    let network = VirtualNetwork<Event>()
    let invariants = InvariantChecker()
    var random: SeededGenerator
    /// In the order of the nodes.
    var hosts: [ObservedHost] = []
    var links: SimulatedLinks
    var intruder: Intruder?
    /// Number of names that insiders have made up.
    var insiderNames: UInt64 = 0
    var digest: RunDigest
    var encoders: [[Encoder]]
    /// Whether viewers want a stream, for each host and stream.
    var wanted: [[Bool]]
    var lastWanted: MonotonicInstant
    var counts = FaultReport.Counts()
    var missingWhenAlive: UInt64 = 0
    let end: MonotonicInstant
    let calmAt: MonotonicInstant
    /// Receives a line of text for each fault, alarm and discontinuity.
    public var trace: ((String) -> Void)?
    private var canaryCountdown = 2_000

    public init(_ options: FaultOptions) {
        self.options = options
        digest = RunDigest(seed: options.seed)
        random = SeededGenerator(
            seed: FixedHash.combine(options.seed, FixedHash.mix(UInt64(options.scenario.number))))
        let topology = Topology(&random, hasInsiders: options.scenario.hasInsiders)
        self.topology = topology
        zone = topology.zone
        end = .zero + options.span
        calmAt = max(end - Self.recovery - Self.tail, .zero + Self.faultsFrom)
        encoders = topology.zone.streams.map { _ in topology.hosts.map { _ in Encoder() } }
        wanted = topology.hosts.map { _ in topology.zone.streams.map { _ in false } }
        lastWanted = .zero
        links = SimulatedLinks(hosts: topology.hosts.count, delayMax: .milliseconds(14), &random)
        network.scenario = self
        publishZone()
        links.impair(options.scenario.impairment(&random), &random)
        setUpNodes()
        setUpEvents()
    }

    var now: MonotonicInstant { network.now }

    // MARK: Running

    /// Runs to the end, or until there are too many violations, and returns the report.
    public func run() -> FaultReport {
        var isRunning = true
        while isRunning, invariants.violationCount < Self.violationsMax { isRunning = network.step(until: end) }
        counts.steps = network.steps
        counts.dropped += network.socketDrops
        return report()
    }

    func handle(_ event: Event) {
        switch event {
        case .encoder(let stream, let entrypoint): encode(stream, at: entrypoint)
        case .question(let host, let life, let name):
            let isDown = zone.isDown
            let delay = isDown ? .milliseconds(1_500) : .milliseconds(1) + random.time(upTo: .milliseconds(15))
            let isLiar = topology.hosts[host].isInsider && topology.hosts[host].role == .edge
            let result =
                isDown ? LookUpResult.failed(.timedOut) : isLiar ? lie(name) : network.names.answer(name)
            network.schedule(.answer(host: host, life: life, name, result), at: now + delay)
        case .answer(let host, let life, let name, let result):
            let node = hosts[host].node
            guard node.life == life, !postponed(event, host) else { return }
            node.relay?.lookUpFinished(name, result, at: now)
            network.settle(node)
        case .fault(let fault): apply(fault, event)
        case .inspect: inspect()
        case .intrude: intrude()
        case .insiders: actAsInsiders()
        case .checkLiveness: checkLiveness(isLast: false)
        }
    }

    /// If the node is paused, reschedules the event for the end of the pause and returns true.
    func postponed(_ event: Event, _ host: Int) -> Bool {
        let node = hosts[host].node
        guard node.isUp, now < node.pausedUntil else { return false }
        network.schedule(event, at: node.pausedUntil)
        return true
    }

    func lookUp(_ name: ReflectorName, by node: VirtualNode) {
        let delay = TimeSpan.milliseconds(1) + random.time(upTo: .milliseconds(15))
        network.schedule(.question(host: node.index, life: node.life, name), at: now + delay)
    }

    func perform(_ action: RelayAction, of node: VirtualNode) {
        switch action {
        case .lookUp, .joinGroup, .leaveGroup: break
        case .remember(let name, let answer): hosts[node.index].remember(name, answer)
        case .unavailable(let stream, let reason):
            counts.unavailable += 1
            log("\(node.name): \(stream): \(reason)")
        case .alarm(let alarm):
            log("\(node.name): \(alarm)")
            switch alarm {
            case .parentChanged: counts.parentChanges += 1
            case .linkDied: counts.linksDied += 1
            default: break
            }
        case .pull(let stream, let isWanted): log("\(node.name): \(stream): \(isWanted ? "pull" : "do not pull")")
        case .limitPayload(let stream, let bytes): log("\(node.name): \(stream): payloads of \(bytes) bytes")
        }
    }

    func log(_ text: @autoclosure () -> String) {
        trace?("\(Double(now.nanoseconds / 1_000) / 1e6) s: \(text())")
    }

    private func encode(_ stream: Int, at entrypoint: Int) {
        let interval = TimeSpan(nanoseconds: 1_000_000_000 / Int64(options.packetsPerSecond))
        network.schedule(.encoder(stream: stream, entrypoint: entrypoint), at: now + interval)
        let node = hosts[entrypoint].node
        // An encoder whose entrypoint is down or paused waits for its connection.
        guard let relay = node.relay, now >= node.pausedUntil else { return }
        let name = topology.zone.streams[stream].name
        if encoders[stream][entrypoint].life != node.life {
            guard relay.provide(name, at: now) else { return violate("\(node.name) refuses an encoder") }
            encoders[stream][entrypoint].life = node.life
            encoders[stream][entrypoint].session = UInt64(entrypoint) << 32 | UInt64(node.life)
            encoders[stream][entrypoint].number = 0
        }
        encoders[stream][entrypoint].number += 1
        let payload = NumberedPayload(
            stream: stream, session: encoders[stream][entrypoint].session, number: encoders[stream][entrypoint].number)
        withUnsafeTemporaryAllocation(byteCount: NumberedPayload.lengthMax, alignment: 8) { buffer in
            let length = payload.write(into: buffer)
            relay.ingest(UnsafeRawBufferPointer(rebasing: buffer[..<length]), stream: name, at: now)
        }
        network.settle(node)
    }

    // MARK: Network

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        let bytes = datagram.bytes
        checkSending(bytes, to: datagram.destination, from: hosts[node.index])
        guard let target = network.node(at: datagram.destination) else { return }
        send(bytes, from: node, to: target)
        if options.canary == .strayData, bytes[0] == 0x30 {
            canaryCountdown -= 1
            let stranger = Endpoint(address: IPAddress(v4: 0x0aff_0001), port: 9)
            if canaryCountdown == 0 { checkSending(bytes, to: stranger, from: hosts[node.index]) }
        }
    }

    /// Puts a datagram on the link between two hosts.
    private func send(_ bytes: [UInt8], from node: VirtualNode, to target: VirtualNode) {
        counts.datagrams += 1
        if let forged = intruder?.overhear(bytes, claimed: node.endpoint, to: target.index) {
            network.send(forged, from: node.endpoint, to: target, at: now)
        }
        switch links.admit(bytes: bytes.count, from: node.index, to: target.index, at: now) {
        case .dropped: counts.dropped += 1
        case .departs(let at, let copyAt):
            network.send(bytes, from: node.endpoint, to: target, at: at, copyAt: copyAt)
        }
    }

    func willReceive(_ bytes: UnsafeRawBufferPointer, from source: Endpoint, at node: VirtualNode) {
        digest.add(bytes, from: source, to: node, at: now)
        guard node.isUp, !bytes.isEmpty else { return }
        let bytes = Array(bytes)
        hosts[node.index].ledger.noteArrival(bytes, from: source)
        if let (tag, sequence) = Self.packet(bytes) { hosts[node.index].held.note(tag, sequence) }
    }

    func willWake(_ node: VirtualNode) {
        digest.add(1, UInt64(node.index), UInt64(bitPattern: now.nanoseconds))
        if hosts[node.index].noteWake(at: now) { violate("\(node.name) wakes again and again at one instant") }
    }

    func didSettle(_ node: VirtualNode) {
        guard options.canary == .busyLoop, node.index == 3, hosts.count > 3 else { return }
        network.wake(node, noLaterThan: hosts[3].lastWake + .microseconds(50))
    }

    /// Incarnation tag and sequence number of a data packet; nil for any other datagram.
    static func packet(_ bytes: [UInt8]) -> (tag: UInt64, sequence: UInt64)? {
        guard bytes.count >= WireLimits.dataOverhead, bytes[0] & 0xfe == 0x30 else { return nil }
        return bytes.withUnsafeBytes {
            (
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 14, as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 22, as: UInt64.self))
            )
        }
    }
}

extension FaultScenario {
    /// The number of the scenario, from which the seed of a run is derived.
    var number: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
