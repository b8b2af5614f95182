import ReflectorModel
import RelayCore

/// Regions of several edges on LANs in virtual time, set regions of one or more hosts as their parents, and entrypoints
/// that always have their streams. It carries out faults; its owner decides what happens when, and what must hold.
final class RegionNetwork: NetworkScenario {
    enum Event {
        /// The stream's entrypoint gets a packet of a stream.
        case packet(stream: Int)
        case question(host: Int, life: Int, ReflectorName)
        case answer(host: Int, life: Int, ReflectorName, LookUpResult)
        /// The viewers at an edge come.
        case want(edge: Int)
        /// An edge that stops asks again whether its children are gone.
        case drain(host: Int, life: Int, tries: Int)
        case fault(RegionFault)
        /// Something that the owner scheduled.
        case mark(Int)
    }

    struct Options {
        var seed: UInt64
        /// Number of edges of the only edge region; chosen by the seed if nil.
        var members: Int?
        /// Number of edges of each edge region, if there are several.
        var edgeRegions: [Int]?
        /// Number of hosts of each set region; those of one are members of it.
        var setRegions = [1, 1]
        /// Each has every n-th stream.
        var entrypoints = 1
        var streams = 4
        var packetsPerSecond: Int64 = 50
        /// Share of the edges whose viewers want a stream.
        var wantedShare = 1.0
        var rules = RegionRules()
        /// Of the links outside the LAN and of those of the LAN, besides their delays.
        var wan = ImpairmentOptions()
        var lan = ImpairmentOptions()
        /// The members give each other streams by multicast. Half of the datagrams that the LAN loses are lost for all.
        var usesGroups = false
        /// Share of the packets from outside in which a bit is flipped.
        var corruption = 0.0
    }

    let options: Options
    let network = VirtualNetwork<Event>()
    let invariants = InvariantChecker()
    var random: SeededGenerator
    private(set) var zone: SimulatedZone
    private var list = SimulatedHosts()
    let edges: [Int]
    let sets: [Int]
    let entrypoints: [Int]
    /// The hosts of each region, those of edges first, and the number of each host's region.
    let regions: [[Int]]
    private let regionOf: [Int]
    /// One for each host; nil unless it is an edge.
    private(set) var receivers: [EdgeReceiver?] = []
    /// For each stream: the edges whose viewers want it.
    private(set) var wanted: [[Int]] = []
    /// When each host's process last began or ended to run, or its links were changed.
    private(set) var disturbedAt: [MonotonicInstant]
    private var links: [LinkImpairment] = []
    private var cuts: [Bool]
    /// Multicast in the regions.
    private(set) var lan: SimulatedLAN
    private var isCalm = false
    private var numbers: [UInt64]
    private(set) var digest: RunDigest

    var onMark: ((Int) -> Void)?
    /// Receives a line of text for each fault, alarm and discontinuity.
    var trace: ((String) -> Void)?

    static let region = RegionID(1_001)
    private static let portset = PortsetID(4_096)
    private static let operatorKey: UInt64 = 0x4e_610_1

    init(_ options: Options) {
        self.options = options
        random = SeededGenerator(seed: FixedHash.combine(options.seed, 0x2e91_0501))
        digest = RunDigest(seed: options.seed)
        zone = SimulatedZone(ttlSeconds: 5, hosts: [], setRegions: [], maps: [], streams: [])
        let drawn = 2 + Int(random.next(below: 4))
        let edgeRegions = options.edgeRegions ?? [options.members ?? drawn]
        for number in 1...options.entrypoints { list.add("ep-\(number)", .entrypoint, nil, to: &zone) }
        for (place, size) in options.setRegions.enumerated() {
            let region = RegionID(UInt32(9_001 + place))
            let hosts = (1...size).map { size == 1 ? "set-\(place + 1)" : "set-\(place + 1)-\($0)" }
            zone.setRegions.append((region, hosts))
            for host in hosts { list.add(host, .set, region, to: &zone) }
        }
        for (place, size) in edgeRegions.enumerated() {
            for number in 1...size {
                let name = edgeRegions.count == 1 ? "edge-\(number)" : "edge-\(place + 1)-\(number)"
                list.add(name, .edge, RegionID(Self.region.rawValue + UInt32(place)), to: &zone)
            }
        }
        edges = list.indices(.edge)
        sets = list.indices(.set)
        entrypoints = list.indices(.entrypoint)
        var parts: [(id: RegionID, hosts: [Int])] = []
        for host in edges + sets {
            guard let id = list.all[host].region else { continue }
            if parts.last?.id == id {
                parts[parts.count - 1].hosts.append(host)
            } else {
                parts.append((id, [host]))
            }
        }
        let members = parts.map { $0.hosts }
        regions = members
        regionOf = list.all.indices.map { host in members.firstIndex { $0.contains(host) } ?? -1 }
        numbers = Array(repeating: 0, count: options.streams)
        let count = list.all.count
        cuts = Array(repeating: false, count: count * count)
        disturbedAt = Array(repeating: .zero, count: count)
        lan = SimulatedLAN(hosts: count)
        for place in edgeRegions.indices {
            let region = RegionID(Self.region.rawValue + UInt32(place))
            zone.maps.append(
                SimulatedZone.Map(region: region, portset: Self.portset, parents: zone.setRegions.map(\.id)))
        }
        for number in 0..<options.streams {
            guard let name = StreamName("live/channel-\(number)") else { continue }
            zone.streams.append(
                SimulatedZone.Stream(
                    name: name, portset: Self.portset, candidates: [list.all[entrypoint(of: number)].name]))
        }
        for _ in zone.streams.indices {
            let some = edges.filter { _ in options.wantedShare >= 1 || random.chance(options.wantedShare) }
            wanted.append(some.isEmpty ? [edges[0]] : some)
        }
        network.scenario = self
        network.names = zone.names
        impair(options.wan, options.lan)
        setUpNodes()
    }

    var now: MonotonicInstant { network.now }
    private func entrypoint(of stream: Int) -> Int { entrypoints[stream % entrypoints.count] }
    /// The other members of a host's region.
    func others(of host: Int) -> [Int] { regionOf[host] < 0 ? [] : regions[regionOf[host]].filter { $0 != host } }
    func isOnLAN(_ a: Int, _ b: Int) -> Bool { regionOf[a] >= 0 && regionOf[a] == regionOf[b] }
    private var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }
    func node(_ host: Int) -> VirtualNode { network.nodes[host] }
    func log(_ text: @autoclosure () -> String) { trace?("\(Double(now.nanoseconds / 1_000) / 1e6) s: \(text())") }
    func violate(_ text: @autoclosure () -> String) { invariants.violate(text(), at: now) }

    private func setUpNodes() {
        let names = zone.streams.map(\.name)
        for (index, host) in list.all.enumerated() {
            var receiver: EdgeReceiver?
            var configuration = list.configuration(of: index)
            // Room for six seconds of all streams, as on real machines.
            configuration.packetsMax = max(4_096, options.streams * Int(options.packetsPerSecond) * 6)
            configuration.lookUpsMax = 4 * max(options.streams, 16)
            if host.role == .edge {
                receiver = EdgeReceiver(name: host.name, streams: names, invariants)
                receiver?.log = { [unowned self] text in log(text) }
            }
            configuration.regionRules = options.rules
            if host.role == .set { configuration.setRegion = host.region.map { "set-\($0)" } }
            if options.usesGroups, !others(of: index).isEmpty { configuration.lan = .v4 }
            configuration.neighbours = others(of: index).map {
                RegionNeighbour(name: list.all[$0].name, endpoint: list.all[$0].endpoint)
            }
            receivers.append(receiver)
            network.add(NodeSetUp(configuration, sink: receiver), at: host.endpoint)
        }
        for host in list.all.indices { start(host) }
        for stream in zone.streams.indices {
            network.schedule(.packet(stream: stream), at: .zero + .milliseconds(50) + random.time(upTo: interval))
        }
        for edge in edges {
            network.schedule(.want(edge: edge), at: .zero + .milliseconds(1_000) + random.time(upTo: .seconds(1)))
        }
    }

    // MARK: Events

    func handle(_ event: Event) {
        switch event {
        case .packet(let stream): sendPacket(of: stream)
        case .question(let host, let life, let name):
            let result = zone.isDown ? LookUpResult.failed(.timedOut) : network.names.answer(name)
            let delay: TimeSpan = zone.isDown ? .milliseconds(1_500) : .milliseconds(2)
            network.schedule(.answer(host: host, life: life, name, result), at: now + delay)
        case .answer(let host, let life, let name, let result):
            let node = node(host)
            guard node.life == life, !postponed(event, host) else { return }
            node.relay?.lookUpFinished(name, result, at: now)
            network.settle(node)
        case .want(let edge):
            guard !postponed(event, edge) else { return }
            for (stream, name) in zone.streams.map(\.name).enumerated() where wanted[stream].contains(edge) {
                receivers[edge]?.want(stream, at: now)
                node(edge).relay?.want(name, at: now)
            }
            network.settle(node(edge))
        case .drain(let host, let life, let tries):
            guard node(host).life == life, let relay = node(host).relay else { return }
            let isDone = relay.drain(at: now)
            network.settle(node(host))
            guard isDone || tries == 0 else {
                return network.schedule(.drain(host: host, life: life, tries: tries - 1), at: now + .milliseconds(200))
            }
            relay.close(at: now)
            network.settle(node(host))
            crash(host)
        case .fault(let fault): apply(fault)
        case .mark(let number): onMark?(number)
        }
    }

    private func postponed(_ event: Event, _ host: Int) -> Bool {
        guard node(host).isUp, now < node(host).pausedUntil else { return false }
        network.schedule(event, at: node(host).pausedUntil)
        return true
    }

    private func sendPacket(of stream: Int) {
        network.schedule(.packet(stream: stream), at: now + interval)
        numbers[stream] += 1
        let payload = NumberedPayload(stream: stream, session: 1, number: numbers[stream])
        withUnsafeTemporaryAllocation(byteCount: NumberedPayload.lengthMax, alignment: 8) { buffer in
            let length = payload.write(into: buffer)
            node(entrypoint(of: stream)).relay?.ingest(
                UnsafeRawBufferPointer(rebasing: buffer[..<length]), stream: zone.streams[stream].name, at: now)
        }
        network.settle(node(entrypoint(of: stream)))
    }

    func lookUp(_ name: ReflectorName, by node: VirtualNode) {
        network.schedule(.question(host: node.index, life: node.life, name), at: now + .milliseconds(1))
    }

    func perform(_ action: RelayAction, of node: VirtualNode) {
        switch action {
        case .joinGroup(let group): lan.join(group, node.index)
        case .leaveGroup(let group): lan.leave(group, node.index)
        case .alarm(let alarm): log("\(node.name): \(alarm)")
        case .unavailable(let stream, let reason): log("\(node.name): \(stream): \(reason)")
        default: break
        }
    }

    // MARK: Faults

    func schedule(_ fault: RegionFault, at: MonotonicInstant) { network.schedule(.fault(fault), at: at) }

    /// Whether datagrams pass in both directions.
    func canReach(_ a: Int, _ b: Int) -> Bool {
        !cuts[a * list.all.count + b] && !cuts[b * list.all.count + a]
    }

    func isRunning(_ host: Int) -> Bool { node(host).isUp && now >= node(host).pausedUntil }

    private func setCut(_ from: Int, _ to: Int, _ isCut: Bool) {
        cuts[from * list.all.count + to] = isCut
        (disturbedAt[from], disturbedAt[to]) = (now, now)
    }

    private func apply(_ fault: RegionFault) {
        log("\(fault)")
        digest.add(1, UInt64(bitPattern: now.nanoseconds), 0)
        switch fault {
        case .kill(let host): crash(host)
        case .start(let host): start(host)
        case .stop(let host, let span):
            disturbedAt[host] = now + span
            network.pause(node(host), until: now + span)
        case .terminate(let host):
            disturbedAt[host] = now
            network.schedule(.drain(host: host, life: node(host).life, tries: 10), at: now)
        case .cut(let from, let to, let isCut): setCut(from, to, isCut)
        case .cutLAN(let host, let isCut):
            for other in others(of: host) {
                setCut(host, other, isCut)
                setCut(other, host, isCut)
            }
        case .cutWAN(let host, let isCut):
            for other in list.all.indices where other != host && !isOnLAN(host, other) {
                setCut(host, other, isCut)
                setCut(other, host, isCut)
            }
        case .split(let some):
            for a in some {
                for b in others(of: a) where !some.contains(b) {
                    setCut(a, b, true)
                    setCut(b, a, true)
                }
            }
        case .nameServers(let isDown): zone.isDown = isDown
        case .deafen(let host, let isDeaf): lan.setDeaf(host, isDeaf)
        case .calm: calm()
        }
    }

    private func calm() {
        isCalm = true
        zone.isDown = false
        cuts = cuts.map { _ in false }
        lan.calm()
        impair(ImpairmentOptions(), ImpairmentOptions())
        for host in list.all.indices { start(host) }
    }

    private func crash(_ host: Int) {
        guard node(host).isUp else { return }
        network.crash(node(host))
        lan.leaveAll(host)
        disturbedAt[host] = now
    }

    private func start(_ host: Int) {
        guard !node(host).isUp else { return }
        network.start(
            node(host), crypto: SimulatedCrypto(operatorKey: Self.operatorKey, seed: random.next()),
            seed: random.next())
        disturbedAt[host] = now
        receivers[host]?.restart(at: now) { _ in true }
        if list.all[host].role == .entrypoint {
            for (number, stream) in zone.streams.enumerated() where entrypoint(of: number) == host {
                _ = node(host).relay?.provide(stream.name, at: now)
            }
        } else if list.all[host].role == .edge, now > .zero {
            network.schedule(.want(edge: host), at: now + .milliseconds(500))
        }
        network.settle(node(host))
    }

    // MARK: Links

    private func impair(_ wan: ImpairmentOptions, _ lan: ImpairmentOptions) {
        var seeded = SeededGenerator(seed: FixedHash.combine(options.seed, isCalm ? 2 : 1))
        let count = list.all.count
        links = (0..<count * count).map { pair in
            let (from, to) = (pair / count, pair % count)
            let isLAN = isOnLAN(from, to)
            var link = isLAN ? lan : wan
            // The same in both directions.
            var delays = SeededGenerator(
                seed: FixedHash.combine(options.seed, UInt64(min(from, to) * count + max(from, to))))
            link.delay =
                isLAN
                ? .microseconds(100) + delays.time(upTo: .microseconds(200))
                : .milliseconds(3) + delays.time(upTo: .milliseconds(17))
            return LinkImpairment(link, seed: seeded.next())
        }
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        if datagram.destination.address.isMulticast { return multicast(datagram, from: node) }
        guard let target = network.node(at: datagram.destination) else { return }
        if isOnLAN(node.index, target.index) {
            lan.note(datagram, from: node.index, at: now)
        } else if edges.contains(node.index) {
            lan.noteOutside(datagram)
        }
        let pair = node.index * list.all.count + target.index
        guard !cuts[pair], case .departs(let at, let copyAt) = links[pair].admit(bytes: datagram.length, at: now)
        else { return }
        if options.corruption > 0, sets.contains(node.index), edges.contains(target.index), datagram.length > 60,
            !isCalm, random.chance(options.corruption)
        {
            var bytes = datagram.bytes
            bytes[45] ^= 1
            return network.send(bytes, from: node.endpoint, to: target, at: at, copyAt: copyAt)
        }
        network.send(datagram, from: node.endpoint, at: at, copyAt: copyAt)
    }

    /// One datagram on the LAN, which each member that has joined the group gets or loses for itself. A packet that several
    /// members lack is sent again once, not for each of them; a second one may have waited in a long queue.
    private func multicast(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        if lan.noteGrouped(datagram, from: node.index, at: now) == 3 {
            violate("\(node.name) sends a packet to its group 3 times in 10 ms")
        }
        guard !random.chance(options.lan.loss / 2) || isCalm else { return }
        for host in others(of: node.index) where lan.reaches(host, from: node.index, datagram.destination) {
            let pair = node.index * list.all.count + host
            guard !cuts[pair], case .departs(let at, let copyAt) = links[pair].admit(bytes: datagram.length, at: now)
            else { continue }
            network.send(datagram.bytes, from: node.endpoint, to: network.nodes[host], at: at, copyAt: copyAt)
        }
    }

    func willReceive(_ bytes: UnsafeRawBufferPointer, from source: Endpoint, at node: VirtualNode) {
        digest.add(bytes, from: source, to: node, at: now)
    }

    func name(of host: Int) -> String { list.all[host].name }
    /// The number of the newest packet of a stream.
    func newest(_ stream: Int) -> UInt64 { numbers[stream] }
}
