import ReflectorModel
import RelayCore

/// The network of a simulated election: entrypoints, witnesses, edges, encoders and a name server in virtual time. It
/// carries out faults, and tells its owner what the nodes do. The owner decides what happens when, and what must hold.
final class ElectionNetwork: NetworkScenario {
    enum Event {
        /// The encoder of a stream sends a packet to every entrypoint that is connected.
        case packets(stream: Int)
        /// The encoder answers an entrypoint, or connects to it.
        case connect(stream: Int, entrypoint: Int, attempt: Int)
        /// A query on its way to the name server, and a response on its way back.
        case question(host: Int, life: Int, ReflectorName)
        case answer(host: Int, life: Int, ReflectorName, LookUpResult)
        case want(edge: Int)
        case fault(ElectionFault)
        /// Something that the owner scheduled.
        case mark(Int)
    }

    struct Options {
        var seed: UInt64
        var packetsPerSecond: Int64 = 12
        /// How long an encoder takes to answer a pull: random up to twice this.
        var answerTime = TimeSpan.milliseconds(100)
        /// How long a puller waits after a failure, and an encoder before it connects again.
        var retryInterval = TimeSpan.milliseconds(500)
        var setsCount: Int?
        var rules = ElectionRules()
        /// Added to the delay of every link.
        var impairment = ImpairmentOptions()
        /// Share of control messages that are delayed, and by how much at most.
        var delayedControl = 0.0
        var controlDelayMax = TimeSpan.milliseconds(600)
    }

    /// A host and what survives a restart of its process.
    final class Host {
        let node: VirtualNode
        let receiver: EdgeReceiver?
        var startedAt = MonotonicInstant.zero
        /// Stands for the state file.
        var remembered: [(name: ReflectorName, answer: LookUpAnswer)] = []

        init(_ node: VirtualNode, _ receiver: EdgeReceiver?) {
            self.node = node
            self.receiver = receiver
        }
    }

    let options: Options
    let topology: ElectionTopology
    private(set) var zone: SimulatedZone
    let network = VirtualNetwork<Event>()
    let invariants = InvariantChecker()
    var random: SeededGenerator
    private(set) var hosts: [Host] = []
    private(set) var encoders: [SimulatedEncoder] = []
    private var links: SimulatedLinks
    /// One for each ordered pair of hosts.
    private var cuts: [Bool]
    private var isCalm = false
    private var sessions: UInt64 = 0
    private var loggedPaths: [Int: String] = [:]
    private(set) var digest: RunDigest
    private(set) var datagrams: UInt64 = 0

    /// Receives every action of a node other than a look-up.
    var onAction: ((RelayAction, Int) -> Void)?
    var onMark: ((Int) -> Void)?
    /// Receives a line of text for each fault, alarm and discontinuity.
    var trace: ((String) -> Void)?

    private static let operatorKey: UInt64 = 0xe1ec_7ed

    init(_ options: Options) {
        self.options = options
        digest = RunDigest(seed: options.seed)
        random = SeededGenerator(seed: FixedHash.combine(options.seed, 0xe1ec_7104))
        topology = ElectionTopology(&random, setsCount: options.setsCount)
        zone = topology.zone
        links = SimulatedLinks(hosts: topology.hosts.count, delayMax: .milliseconds(20), &random)
        links.impair(options.impairment, &random)
        cuts = Array(repeating: false, count: topology.hosts.count * topology.hosts.count)
        network.scenario = self
        network.names = zone.names
        for stream in zone.streams {
            encoders.append(SimulatedEncoder(isPull: stream.policy.isPull, entrypoints: topology.entrypoints.count))
        }
        setUpNodes()
        for stream in encoders.indices {
            network.schedule(.packets(stream: stream), at: .zero + .milliseconds(50) + random.time(upTo: interval))
        }
        for edge in topology.edges {
            network.schedule(.want(edge: edge), at: .zero + .milliseconds(1_000) + random.time(upTo: .seconds(1)))
        }
    }

    var now: MonotonicInstant { network.now }
    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    func log(_ text: @autoclosure () -> String) {
        trace?("\(Double(now.nanoseconds / 1_000) / 1e6) s: \(text())")
    }

    /// Logs by which paths each node fetches, where that has changed.
    func logPaths() {
        guard trace != nil else { return }
        for host in hosts { logPaths(of: host.node) }
    }

    private func logPaths(of node: VirtualNode) {
        let paths = (node.relay?.snapshot.paths ?? []).map { path in
            let parent = network.node(at: path.parent)?.name ?? "?"
            return "\(path.stream) from \(parent)\(path.isLeaving ? " (leaving)" : path.isLive ? "" : " (joining)")"
        }
        let text = paths.joined(separator: ", ")
        if loggedPaths[node.index] != text { log("\(node.name) fetches \(text)") }
        loggedPaths[node.index] = text
    }

    func violate(_ text: @autoclosure () -> String) { invariants.violate(text(), at: now) }

    private func setUpNodes() {
        let names = zone.streams.map(\.name)
        for (index, host) in topology.hosts.enumerated() {
            let receiver =
                host.role == .edge ? EdgeReceiver(name: host.name, streams: names, invariants) : nil
            receiver?.log = { [unowned self] text in log(text) }
            var configuration = topology.configuration(of: index)
            configuration.election = options.rules
            let node = network.add(NodeSetUp(configuration, sink: receiver), at: host.endpoint)
            hosts.append(Host(node, receiver))
        }
        for host in hosts.indices { start(host) }
    }

    func handle(_ event: Event) {
        switch event {
        case .packets(let stream): sendPackets(of: stream)
        case .connect(let stream, let entrypoint, let attempt):
            if !postponed(event, entrypoint) { connect(stream, to: entrypoint, attempt) }
        case .question(let host, let life, let name):
            let delay = zone.isDown ? .milliseconds(1_500) : .milliseconds(1) + random.time(upTo: .milliseconds(15))
            let result = zone.isDown ? LookUpResult.failed(.timedOut) : network.names.answer(name)
            network.schedule(.answer(host: host, life: life, name, result), at: now + delay)
        case .answer(let host, let life, let name, let result):
            let node = hosts[host].node
            guard node.life == life, !postponed(event, host) else { return }
            node.relay?.lookUpFinished(name, result, at: now)
            network.settle(node)
        case .want(let edge):
            guard !postponed(event, edge) else { return }
            for (stream, name) in zone.streams.map(\.name).enumerated() {
                hosts[edge].receiver?.want(stream, at: now)
                hosts[edge].node.relay?.want(name, at: now)
            }
            network.settle(hosts[edge].node)
        case .fault(let fault): apply(fault)
        case .mark(let number): onMark?(number)
        }
    }

    /// If the node is paused, reschedules the event for the end of the pause and returns true.
    private func postponed(_ event: Event, _ host: Int) -> Bool {
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
        case .lookUp, .limitPayload, .joinGroup, .leaveGroup: break
        case .remember(let name, let answer):
            if let place = hosts[node.index].remembered.firstIndex(where: { $0.name == name }) {
                hosts[node.index].remembered[place].answer = answer
            } else {
                hosts[node.index].remembered.append((name, answer))
            }
        case .unavailable(let stream, let reason): log("\(node.name): \(stream): \(reason)")
        case .alarm(let alarm): log("\(node.name): \(alarm)")
        case .pull(let name, let isWanted):
            log("\(node.name): \(name): \(isWanted ? "pull" : "do not pull")")
            if let stream = zone.streams.firstIndex(where: { $0.name == name }) {
                setPulling(stream, at: node.index, isWanted)
            }
        }
        onAction?(action, node.index)
    }

    private func sendPackets(of stream: Int) {
        network.schedule(.packets(stream: stream), at: now + interval)
        for entrypoint in topology.entrypoints where encoders[stream].feeds[entrypoint].isLive {
            let node = hosts[entrypoint].node
            guard let relay = node.relay, now >= node.pausedUntil else { continue }
            encoders[stream].feeds[entrypoint].number += 1
            let feed = encoders[stream].feeds[entrypoint]
            let payload = NumberedPayload(stream: stream, session: feed.session, number: feed.number)
            withUnsafeTemporaryAllocation(byteCount: NumberedPayload.lengthMax, alignment: 8) { buffer in
                let length = payload.write(into: buffer)
                relay.ingest(
                    UnsafeRawBufferPointer(rebasing: buffer[..<length]), stream: zone.streams[stream].name, at: now)
            }
            network.settle(node)
        }
    }

    private func setPulling(_ stream: Int, at entrypoint: Int, _ isWanted: Bool) {
        encoders[stream].feeds[entrypoint].isWanted = isWanted
        if isWanted {
            attempt(stream, at: entrypoint, after: random.time(upTo: options.answerTime * 2))
        } else {
            disconnect(stream, from: entrypoint)
        }
    }

    /// The encoder answers the entrypoint, or connects to it, after this time.
    private func attempt(_ stream: Int, at entrypoint: Int, after delay: TimeSpan) {
        encoders[stream].feeds[entrypoint].attempt += 1
        let attempt = encoders[stream].feeds[entrypoint].attempt
        network.schedule(.connect(stream: stream, entrypoint: entrypoint, attempt: attempt), at: now + delay)
    }

    private func connect(_ stream: Int, to entrypoint: Int, _ number: Int) {
        let feed = encoders[stream].feeds[entrypoint]
        guard feed.attempt == number, feed.isWanted, !feed.isConnected, let relay = hosts[entrypoint].node.relay else {
            return
        }
        let name = zone.streams[stream].name
        guard feed.line == .up else { return attempt(stream, at: entrypoint, after: options.retryInterval) }
        guard relay.provide(name, at: now) else { return violate("\(hosts[entrypoint].node.name) refuses an encoder") }
        // Another handle means that the stream ended there, and that another incarnation has begun.
        let handle = relay.handle(of: name)
        if handle != feed.handle || feed.session == 0 {
            sessions += 1
            encoders[stream].feeds[entrypoint].session = UInt64(entrypoint) << 32 | sessions
            encoders[stream].feeds[entrypoint].number = 0
            encoders[stream].feeds[entrypoint].handle = handle
        }
        encoders[stream].feeds[entrypoint].isConnected = true
        encoders[stream].feeds[entrypoint].connectedAt = now
        log("\(hosts[entrypoint].node.name): \(name): its encoder is connected")
        network.settle(hosts[entrypoint].node)
    }

    private func disconnect(_ stream: Int, from entrypoint: Int) {
        encoders[stream].feeds[entrypoint].attempt += 1
        guard encoders[stream].feeds[entrypoint].isConnected else { return }
        encoders[stream].feeds[entrypoint].isConnected = false
        let node = hosts[entrypoint].node
        node.relay?.encoderLeft(zone.streams[stream].name, at: now)
        network.wake(node, noLaterThan: max(node.nextTimeout, now))
    }

    private func set(_ line: SimulatedEncoder.Line, of stream: Int, at entrypoint: Int) {
        let feed = encoders[stream].feeds[entrypoint]
        encoders[stream].feeds[entrypoint].line = line
        guard line == .closed, feed.isConnected else { return }
        disconnect(stream, from: entrypoint)
        if feed.isWanted { attempt(stream, at: entrypoint, after: options.retryInterval) }
    }

    func schedule(_ fault: ElectionFault, at: MonotonicInstant) { network.schedule(.fault(fault), at: at) }

    func isCut(from: Int, to: Int) -> Bool { cuts[from * hosts.count + to] }

    /// Whether datagrams pass in both directions.
    func canReach(_ a: Int, _ b: Int) -> Bool { !isCut(from: a, to: b) && !isCut(from: b, to: a) }

    private func apply(_ fault: ElectionFault) {
        log("\(fault)")
        digest.add(1, UInt64(bitPattern: now.nanoseconds), 0)
        switch fault {
        case .crash(let host): crash(host)
        case .start(let host): start(host)
        case .pause(let host, let span): network.pause(hosts[host].node, until: now + span)
        case .cut(let from, let to): cuts[from * hosts.count + to] = true
        case .mend(let from, let to): cuts[from * hosts.count + to] = false
        case .partition(let some, let isBothWays):
            for a in some {
                for b in hosts.indices where !some.contains(b) {
                    cuts[a * hosts.count + b] = true
                    if isBothWays { cuts[b * hosts.count + a] = true }
                }
            }
        case .mendAll: cuts = cuts.map { _ in false }
        case .encoder(let stream, let entrypoint, let line): set(line, of: stream, at: entrypoint)
        case .edit(let stream, let edit): apply(edit, to: stream)
        case .nameServers(let isDown): zone.isDown = isDown
        case .calm: calm()
        }
    }

    private func apply(_ edit: ElectionEdit, to stream: Int) {
        zone.edit(stream: stream) { stream in
            switch edit {
            case .reorder(let order): stream.candidates = order
            case .remove(let name): if stream.candidates.count > 1 { stream.candidates.removeAll { $0 == name } }
            case .pin(let name): stream.pinned = name
            case .bar(let names): stream.barred = names
            }
            if stream.ordered.isEmpty { stream.barred = [] }
        }
        network.names = zone.names
    }

    private func calm() {
        isCalm = true
        zone.isDown = false
        cuts = cuts.map { _ in false }
        links.impair(ImpairmentOptions(), &random)
        for host in hosts.indices { start(host) }
        for stream in encoders.indices {
            for entrypoint in topology.entrypoints { set(.up, of: stream, at: entrypoint) }
        }
    }

    private func crash(_ host: Int) {
        guard hosts[host].node.isUp else { return }
        network.crash(hosts[host].node)
        guard topology.hosts[host].role == .entrypoint else { return }
        for stream in encoders.indices {
            encoders[stream].feeds[host].isConnected = false
            encoders[stream].feeds[host].isWanted = false
            encoders[stream].feeds[host].attempt += 1
            encoders[stream].feeds[host].handle = nil
        }
    }

    private func start(_ index: Int) {
        let host = hosts[index]
        guard !host.node.isUp else { return }
        let crypto = SimulatedCrypto(operatorKey: Self.operatorKey, seed: random.next())
        network.start(host.node, crypto: crypto, seed: random.next())
        host.startedAt = now
        for (name, answer) in host.remembered { host.node.relay?.restore(name, answer, at: now) }
        host.receiver?.restart(at: now) { _ in true }
        switch topology.hosts[index].role {
        case .entrypoint:
            for (stream, encoder) in encoders.enumerated() {
                encoders[stream].feeds[index].session = 0
                if encoder.isPull {
                    host.node.relay?.offer(zone.streams[stream].name, at: now)
                } else {
                    encoders[stream].feeds[index].isWanted = true
                    attempt(stream, at: index, after: random.time(upTo: options.retryInterval))
                }
            }
        case .edge where now > .zero: network.schedule(.want(edge: index), at: now)
        default: break
        }
        network.settle(host.node)
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        guard let target = network.node(at: datagram.destination) else { return }
        datagrams += 1
        guard !isCut(from: node.index, to: target.index),
            case .departs(var at, let copyAt) = links.admit(
                bytes: datagram.length, from: node.index, to: target.index, at: now)
        else { return }
        if !isCalm, options.delayedControl > 0, let first = datagram.header.first, first & 0xfe != 0x30,
            random.chance(options.delayedControl)
        {
            at = at + random.time(upTo: options.controlDelayMax)
        }
        network.send(datagram, from: node.endpoint, at: at, copyAt: copyAt)
    }

    func didSettle(_ node: VirtualNode) { if trace != nil { logPaths(of: node) } }

    func willReceive(_ bytes: UnsafeRawBufferPointer, from source: Endpoint, at node: VirtualNode) {
        digest.add(bytes, from: source, to: node, at: now)
    }
}
