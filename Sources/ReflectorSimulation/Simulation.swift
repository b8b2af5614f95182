import ReflectorModel
import RelayCore
import RelayWire

/// A whole reflector network in virtual time: the same `RelayNode`s as in the daemons, a network that loses and
/// reorders, a name server that can be edited and taken away. One seed decides everything, so that every failure can be
/// seen again.
///
/// ```
/// |── warm-up ──|── faults, from the plan ──|── calm: 10 s to recover ──|── everything must flow ──|
/// ```
/// The promises of design §7 are judged at every datagram, delivery and wake-up; liveness at the end.
public final class Simulation {
    enum Event {
        /// `claimed` is what stands in it as its source; an intruder's lies.
        case datagram(to: Int, claimed: Endpoint, bytes: [UInt8])
        case encoder(stream: Int, entrypoint: Int)
        /// A question on its way to the name server, and an answer on its way back.
        case question(host: Int, life: Int, ReflectorName)
        case answer(host: Int, life: Int, ReflectorName, LookUpResult)
        case fault(Fault)
        case inspect
        case intrude
        case judgeLiveness
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

    let options: SimulationOptions
    let topology: Topology
    var zone: SimulatedZone
    let judge = Judge()
    var random: SeededGenerator
    var events = EventQueue<Event>()
    var nodes: [SimulatedNode] = []
    /// One for each ordered pair of hosts.
    var links: [LinkImpairment] = []
    var intruder: Intruder?
    var now = MonotonicInstant.zero
    var digest: UInt64
    var encoders: [[Encoder]]
    /// Demand by edge (in order of host) and stream.
    var wanted: [[Bool]]
    var lastWanted: MonotonicInstant
    var counts = SimulationReport.Counts()
    var missingWhenAlive: UInt64 = 0
    let end: MonotonicInstant
    let calmAt: MonotonicInstant
    /// Is told, in words, of faults, alarms and discontinuities.
    public var trace: ((String) -> Void)?
    private var canaryCountdown = 2_000

    public init(_ options: SimulationOptions) {
        self.options = options
        digest = FixedHash.mix(options.seed)
        random = SeededGenerator(seed: FixedHash.combine(options.seed, FixedHash.mix(UInt64(options.scenario.place))))
        let topology = Topology(&random)
        self.topology = topology
        zone = topology.zone
        end = .zero + options.span
        calmAt = max(end - Self.recovery - Self.tail, .zero + Self.faultsFrom)
        encoders = topology.zone.streams.map { _ in topology.hosts.map { _ in Encoder() } }
        wanted = topology.hosts.map { _ in topology.zone.streams.map { _ in false } }
        lastWanted = .zero
        setUpLinks()
        setUpNodes()
        setUpEvents()
    }

    // MARK: Running

    /// Runs to the end and says what came of it.
    public func run() -> SimulationReport {
        while true {
            var wakeAt = MonotonicInstant.distantFuture
            var wakeIndex = 0
            for node in nodes where node.wakeAt < wakeAt {
                wakeAt = node.wakeAt
                wakeIndex = node.index
            }
            // At one instant datagrams come before timers, as in an event loop that drains its socket first.
            let next = min(events.next, wakeAt)
            guard next <= end, judge.violationCount < 100 else { break }
            now = next
            judge.now = now
            counts.steps += 1
            if events.next <= wakeAt, let event = events.pop() { handle(event) } else { wake(nodes[wakeIndex]) }
        }
        return report()
    }

    private func wake(_ node: SimulatedNode) {
        note(1, UInt64(node.index), UInt64(bitPattern: now.nanoseconds))
        node.wakes += 1
        node.wakesAtOnce = node.lastWake == now ? node.wakesAtOnce + 1 : 0
        if node.wakesAtOnce == 50 { judge.broken("\(node.host.name) wakes again and again at one instant") }
        node.lastWake = now
        node.wake(at: now)
        settle(node)
    }

    /// What every call of a node is followed by: its datagrams and requests go out, its next wake-up is noted.
    func settle(_ node: SimulatedNode) {
        node.drain(at: now) { entry, header in transmit(entry, header, from: node) }
        while let action = node.relay?.nextAction() { perform(action, of: node) }
        node.noteTimeout()
    }

    private func perform(_ action: RelayAction, of node: SimulatedNode) {
        switch action {
        case .lookUp(let name):
            let delay = TimeSpan.milliseconds(1) + random.time(upTo: .milliseconds(15))
            events.schedule(.question(host: node.index, life: node.life, name), at: now + delay)
        case .remember(let name, let answer): node.remember(name, answer)
        case .unavailable(let stream, let reason):
            counts.unavailable += 1
            tell("\(node.host.name): \(stream): \(reason.rawValue)")
        case .alarm(let alarm):
            tell("\(node.host.name): \(alarm)")
            switch alarm {
            case .parentChanged: counts.parentChanges += 1
            case .linkDied: counts.linksDied += 1
            case .parentsKept, .parentLeaves, .sourceChanged, .loopRefused, .linkLossy, .childRefusedStreams,
                .linksRefused,
                .linksEvicted, .controlFlood:
                break
            }
        }
    }

    func tell(_ text: @autoclosure () -> String) {
        trace?("\(Double(now.nanoseconds / 1_000) / 1e6) s: \(text())")
    }

    private func handle(_ event: Event) {
        switch event {
        case .datagram(let to, let claimed, let bytes): arrive(bytes, at: nodes[to], claimed: claimed)
        case .encoder(let stream, let entrypoint): encode(stream, at: entrypoint)
        case .question(let host, let life, let name):
            let isDown = zone.isDown
            let delay = isDown ? .milliseconds(1_500) : .milliseconds(1) + random.time(upTo: .milliseconds(15))
            let result = isDown ? LookUpResult.failed(.timedOut) : zone.answer(name)
            events.schedule(.answer(host: host, life: life, name, result), at: now + delay)
        case .answer(let host, let life, let name, let result):
            guard nodes[host].life == life else { return }
            if postponed(event, host) { return }
            nodes[host].relay?.lookUpFinished(name, result, at: now)
            settle(nodes[host])
        case .fault(let fault): apply(fault, event)
        case .inspect: inspect()
        case .intrude: intrude()
        case .judgeLiveness: judgeLiveness(isLast: false)
        }
    }

    /// A node that sleeps gets its calls when it wakes.
    func postponed(_ event: Event, _ host: Int) -> Bool {
        guard nodes[host].isUp, now < nodes[host].pausedUntil else { return false }
        events.schedule(event, at: nodes[host].pausedUntil)
        return true
    }

    private func encode(_ stream: Int, at entrypoint: Int) {
        let interval = TimeSpan(nanoseconds: 1_000_000_000 / Int64(options.packetsPerSecond))
        events.schedule(.encoder(stream: stream, entrypoint: entrypoint), at: now + interval)
        let node = nodes[entrypoint]
        // An encoder whose entrypoint is away or asleep is held up by its connection.
        guard let relay = node.relay, now >= node.pausedUntil else { return }
        let name = topology.zone.streams[stream].name
        if encoders[stream][entrypoint].life != node.life {
            guard relay.provide(name, at: now) else { return judge.broken("\(node.host.name) refuses an encoder") }
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
        settle(node)
    }

    // MARK: Network

    private func transmit(_ entry: DatagramBatch.Entry, _ header: UnsafeRawBufferPointer, from node: SimulatedNode) {
        var bytes = [UInt8]()
        bytes.reserveCapacity(entry.length)
        bytes.append(contentsOf: header)
        if let body = entry.body {
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: body, count: Int(entry.bodyLength)))
        }
        judgeSending(bytes, to: entry.destination, from: node)
        guard let to = topology.index(of: entry.destination) else { return }
        send(bytes, from: node.index, claimed: node.host.endpoint, to: to)
        if options.canary == .strayData, bytes[0] == 0x30 {
            canaryCountdown -= 1
            let stranger = Endpoint(address: IPAddress(v4: 0x0aff_0001), port: 9)
            if canaryCountdown == 0 { judgeSending(bytes, to: stranger, from: node) }
        }
    }

    /// Puts a datagram on the link between two hosts.
    func send(_ bytes: [UInt8], from sender: Int, claimed: Endpoint, to: Int) {
        counts.datagrams += 1
        if let forged = intruder?.overhear(bytes, claimed: claimed, to: to) {
            events.schedule(.datagram(to: to, claimed: claimed, bytes: forged), at: now)
        }
        switch links[sender * topology.hosts.count + to].admit(bytes: bytes.count, at: now) {
        case .dropped: counts.dropped += 1
        case .departs(let at, let copyAt):
            events.schedule(.datagram(to: to, claimed: claimed, bytes: bytes), at: at)
            if let copyAt { events.schedule(.datagram(to: to, claimed: claimed, bytes: bytes), at: copyAt) }
        }
    }

    private func arrive(_ bytes: [UInt8], at node: SimulatedNode, claimed: Endpoint) {
        var hash = KeyedHash(key: digest)
        hash.add(UInt64(bitPattern: now.nanoseconds))
        hash.add(UInt64(node.index) << 32 | UInt64(claimed.address.v4))
        bytes.withUnsafeBytes { hash.add($0) }
        digest = hash.value
        guard node.isUp, !bytes.isEmpty else { return }
        node.ledger.noteArrival(bytes, from: claimed)
        if let (tag, sequence) = Self.packet(bytes) { node.held.note(tag, sequence) }
        guard node.receive(bytes, from: claimed, at: now) else {
            counts.dropped += 1
            return
        }
        if now >= node.pausedUntil { settle(node) }
    }

    /// Incarnation tag and sequence number of a data packet.
    static func packet(_ bytes: [UInt8]) -> (tag: UInt64, sequence: UInt64)? {
        guard bytes.count >= WireLimits.dataOverhead, bytes[0] & 0xfe == 0x30 else { return nil }
        return bytes.withUnsafeBytes {
            (
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 14, as: UInt64.self)),
                UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 22, as: UInt64.self))
            )
        }
    }

    func note(_ kind: UInt64, _ a: UInt64, _ b: UInt64) {
        digest = FixedHash.combine(digest ^ kind, a &* 31 &+ b)
    }
}

extension Scenario {
    /// Its number, for seeds.
    var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
