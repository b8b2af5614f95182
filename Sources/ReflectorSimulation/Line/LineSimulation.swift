import ReflectorModel
import RelayCore

/// One stream along a line of nodes, in virtual time: what a promise about figures is measured with, millions of packets
/// in seconds. The nodes are the daemons' own; the judge is the number in each payload.
///
///     encoder ─▶ entrypoint ─▶ set ─▶ … ─▶ set ─▶ edge
///                                      └─▶ set ─▶ edge      (`parents`, `edges`: every edge may fetch from each)
public final class LineSimulation {
    struct Flight {
        var from: Int32
        var to: Int32
        var place: Int32
    }

    let options: LineOptions
    let stream: StreamName
    var nodes: [LineNode] = []
    let entrypoint = 0
    private(set) var lastSets: [Int] = []
    private(set) var edges: [Int] = []
    /// By sender · nodes + receiver.
    private var links: [LinkImpairment?] = []
    private var isLastHop: [Bool] = []
    /// The line that all paths of an edge share: by edge's place · 2, the way down; one more, the way up.
    private var accessLines: [LinkImpairment] = []
    /// Streams beside the one that is judged; the same payloads come in all.
    private var otherStreams: [StreamName] = []
    private let pool = DatagramPool()
    private var flights = EventQueue<Flight>()
    public private(set) var now = MonotonicInstant.zero
    private var number: UInt64 = 0
    private var nextPacket = MonotonicInstant.zero
    private var digest: UInt64
    /// Datagrams that arrived, packets of the encoder and wake-ups so far.
    public private(set) var events: UInt64 = 0
    /// Ends a node's process: what it held is gone, and what is sent to it is lost.
    public func crash(_ name: String) {
        guard let node = nodes.first(where: { $0.name == name }) else { return }
        for (place, _) in node.socket { pool.remove(place) }
        node.crash()
    }

    /// Starts a node that crashed, with nothing but its name. Not for the entrypoint or an edge, which have more to tell.
    public func restart(_ name: String) {
        guard let node = nodes.first(where: { $0.name == name }), node.relay == nil else { return }
        node.start(at: now)
        settle(node)
    }

    /// What has been counted since `startCounting`, but for what only the edges know.
    public var counted: LineReport {
        var counts = counts
        for edge in edges { counts.delivered += nodes[edge].receiver?.delivered ?? 0 }
        return counts
    }
    private var counts = LineReport()
    private var isCounting = false
    /// The encoder sends nothing while this is true.
    public var isEncoderSilent = false
    /// Is asked for every datagram whether it is lost, beside what the link's weather does.
    public var loses: ((_ from: String, _ to: String, _ bytes: UnsafeRawBufferPointer) -> Bool)?

    /// Nil only if the options make no line.
    public init?(_ options: LineOptions) {
        guard let stream = StreamName("live/news"), options.edges > 0, (1...3).contains(options.parents),
            options.packetsPerSecond > 0, options.parents == 1 || options.sets > 0
        else { return nil }
        self.options = options
        self.stream = stream
        digest = FixedHash.mix(options.seed)
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
        for index in 0..<options.edges { edges.append(add("edge-\(index)", .edge, RegionID(1_283))) }
        let count = nodes.count
        links = Array(repeating: nil, count: count * count)
        isLastHop = Array(repeating: false, count: count * count)
        for index in 1..<count {
            let parents = parents(of: index)
            for parent in parents {
                let isLast = edges.contains(index)
                let weather = isLast ? options.lastHop : options.otherHops
                for (from, to) in [(parent, index), (index, parent)] {
                    let seed = FixedHash.combine(options.seed, UInt64(from * count + to + 1))
                    links[from * count + to] = LinkImpairment(
                        weather, trace: isLast ? options.lastHopTrace : nil, seed: seed)
                    isLastHop[from * count + to] = isLast
                }
            }
        }
        if options.access != ImpairmentOptions() || options.accessTrace != nil {
            accessLines = (0..<2 * edges.count).map {
                LinkImpairment(
                    options.access, trace: options.accessTrace,
                    seed: FixedHash.combine(options.seed, UInt64(count * count + $0 + 1)))
            }
        }
        _ = nodes[entrypoint].relay?.provide(stream, at: now)
        settle(nodes[entrypoint])
        if options.viewersAt > .zero { run(for: options.viewersAt) }
        for edge in edges {
            nodes[edge].relay?.want(stream, at: now)
            settle(nodes[edge])
        }
    }

    @discardableResult
    private func add(_ name: String, _ role: NodeRole, _ region: RegionID?) -> Int {
        let index = nodes.count
        var configuration = RelayConfiguration(name: name, role: role, region: region)
        configuration.packetsMax = Int(options.packetsPerSecond) + 1_024
        configuration.controlBytesMax = 1 << 18
        configuration.playOutDeadline = options.playOutDeadline
        if role == .edge { configuration.pathsMin = options.paths }
        nodes.append(
            LineNode(
                index, configuration, makeMeasurements: options.makeMeasurements,
                seed: FixedHash.combine(options.seed, UInt64(index)), at: now))
        nodes[index].receiver?.judged = stream
        return index
    }

    private func parents(of index: Int) -> [Int] {
        if edges.contains(index) { return lastSets }
        if lastSets.contains(index) { return [options.sets > 1 ? options.sets - 1 : entrypoint] }
        return [index - 1]
    }

    // MARK: Running

    /// Runs the warm-up and then as many packets as the options say.
    public func run() -> LineReport {
        run(for: options.warmUp)
        startCounting()
        run(for: TimeSpan(nanoseconds: Int64(options.packets) * interval.nanoseconds))
        return finish()
    }

    public var interval: TimeSpan { TimeSpan(nanoseconds: 1_000_000_000 / options.packetsPerSecond) }

    /// From now on everything is counted.
    public func startCounting() {
        counts = LineReport()
        counts.hops = Array(repeating: (0, 0, 0), count: nodes.count)
        isCounting = true
        for edge in edges { nodes[edge].receiver?.countsFrom = now }
    }

    /// Lets what is under way arrive, without new packets, and gives the report.
    public func finish() -> LineReport {
        isCounting = false
        var report = counts
        isEncoderSilent = true
        run(for: .seconds(2))
        for edge in edges {
            guard let receiver = nodes[edge].receiver else { continue }
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
                digest = FixedHash.combine(digest, nodes[edge].relay?.counters[counter] ?? 0)
            }
        }
        report.delayMean = report.delayMean / Int64(edges.count)
        report.digest = digest
        return report
    }

    /// A node does nothing until then: its datagrams wait in its socket.
    public func pause(_ name: String, for span: TimeSpan) {
        guard let node = nodes.first(where: { $0.name == name }) else { return }
        node.pausedUntil = now + span
        node.wakeAt = max(node.wakeAt, node.pausedUntil)
    }

    /// Makes another stream flow into the entrypoint, beside the one that is judged.
    public func provide(_ name: StreamName) {
        guard nodes[entrypoint].relay?.provide(name, at: now) == true else { return }
        otherStreams.append(name)
        settle(nodes[entrypoint])
    }

    /// A viewer of an edge wants such a stream.
    public func want(_ name: StreamName, at edge: String) {
        guard let node = nodes.first(where: { $0.name == edge }) else { return }
        node.relay?.want(name, at: now)
        settle(node)
    }

    /// Names of the parents that a node fetches a stream from: the judged one if none is named.
    public func paths(of name: String, stream: StreamName? = nil) -> [String] {
        let node = nodes.first { $0.name == name }
        return (node?.relay?.census.paths ?? []).filter { $0.stream == stream ?? self.stream }.compactMap { path in
            Self.index(of: path.parent).map { nodes[$0].name }
        }
    }

    /// What a node says of itself.
    public func status(of name: String) -> NodeStatus? {
        guard let node = nodes.first(where: { $0.name == name }) else { return nil }
        return node.relay?.status(zone: "simulated", endpoint: Self.endpoint(node.index), at: now)
    }

    /// Packets of other streams than the judged one that an edge's streaming server got.
    public func deliveredOfOthers(at name: String) -> UInt64 {
        nodes.first { $0.name == name }?.receiver?.deliveredOfOthers ?? 0
    }

    public func counters(of name: String) -> RelayCounters? { nodes.first { $0.name == name }?.relay?.counters }

    public func run(for span: TimeSpan) {
        let end = now + span
        nextPacket = max(nextPacket, now)
        while true {
            var next = min(flights.next, nextPacket)
            var waking: LineNode?
            for node in nodes where node.wakeAt < next {
                next = node.wakeAt
                waking = node
            }
            guard next < end else { break }
            now = next
            events += 1
            if let waking {
                waking.wake(at: now)
                settle(waking)
            } else if flights.next == now, let flight = flights.pop() {
                arrive(flight)
            } else {
                encode()
            }
        }
        now = end
    }

    private func encode() {
        nextPacket = now + interval
        let node = nodes[entrypoint]
        guard !isEncoderSilent, now >= node.pausedUntil, let relay = node.relay else { return }
        number += 1
        if isCounting { counts.sent += UInt64(edges.count) }
        var payload = (number, now.nanoseconds)
        withUnsafeBytes(of: &payload) { bytes in
            relay.ingest(bytes, stream: stream, at: now)
            for other in otherStreams { relay.ingest(bytes, stream: other, at: now) }
        }
        settle(node)
    }

    private func arrive(_ flight: Flight) {
        let node = nodes[Int(flight.to)]
        if now < node.pausedUntil {
            node.socket.append((flight.place, flight.from))
            node.wakeAt = node.pausedUntil
            node.onWake = { [unowned self] in
                for (place, from) in node.socket { receive(place, from: from, at: node) }
                node.socket.removeAll()
            }
            return
        }
        receive(flight.place, from: flight.from, at: node)
        settle(node)
    }

    private func receive(_ place: Int32, from: Int32, at node: LineNode) {
        node.relay?.receive(pool[place], from: Self.endpoint(Int(from)), at: now)
        pool.remove(place)
    }

    private func settle(_ node: LineNode) {
        guard let relay = node.relay else { return }
        while let action = relay.nextAction() {
            guard case .lookUp(let name) = action else { continue }
            relay.lookUpFinished(name, answer(name), at: now)
        }
        node.drain(at: now) { entry, header in send(entry, header, from: node.index) }
        node.wakeAt = max(relay.nextTimeout, node.pausedUntil)
    }

    private func send(_ entry: DatagramBatch.Entry, _ header: UnsafeRawBufferPointer, from: Int) {
        guard let to = Self.index(of: entry.destination), to < nodes.count else { return }
        let body = UnsafeRawBufferPointer(start: entry.body, count: Int(entry.bodyLength))
        let link = from * nodes.count + to
        if isCounting { count(header, entry.length, from: from, to: to, isLastHop: isLastHop[link]) }
        guard case .departs(var at, var copyAt)? = links[link]?.admit(bytes: entry.length, at: now) else { return }
        if isLastHop[link], !accessLines.isEmpty {
            let line = to > from ? 2 * (to - edges[0]) : 2 * (from - edges[0]) + 1
            guard case .departs(let through, _) = accessLines[line].admit(bytes: entry.length, at: now) else { return }
            at = at + (through - now)
            copyAt = copyAt.map { $0 + (through - now) }
        }
        let place = pool.insert(header, body)
        if let loses, loses(nodes[from].name, nodes[to].name, pool[place]) { return pool.remove(place) }
        digest = FixedHash.combine(digest, UInt64(bitPattern: at.nanoseconds) ^ UInt64(entry.length) << 48)
        flights.schedule(Flight(from: Int32(from), to: Int32(to), place: place), at: at)
        if let copyAt {
            flights.schedule(Flight(from: Int32(from), to: Int32(to), place: pool.copy(place)), at: copyAt)
        }
    }

    private func count(_ header: UnsafeRawBufferPointer, _ length: Int, from: Int, to: Int, isLastHop: Bool) {
        let isData = header[0] & 0xfe == 0x30
        let isRetransmit = header[0] == 0x31
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
                counts.backBytes += UInt64(length)
            }
        }
    }

    // MARK: Names

    private static func endpoint(_ index: Int) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0001 + UInt32(index)), port: 4_900)
    }

    private static func index(of endpoint: Endpoint) -> Int? { Int(endpoint.address.v4) - 0x0a00_0001 }

    private func answer(_ name: ReflectorName) -> LookUpResult {
        func records(_ indices: [Int]) -> LookUpResult {
            let hosts = indices.map {
                ResolvedHost(name: nodes[$0].name, endpoint: Self.endpoint($0), priority: 0, weight: 1)
            }
            return .records(LookUpAnswer(hosts: hosts, ttlSeconds: 3_600, serial: 1, portset: PortsetID(7)))
        }
        switch name {
        case .candidates: return records([entrypoint])
        case .parents(let rank, let region, _):
            let place = Int(rank.rawValue) - 1
            if region == RegionID(1_283) {
                return place < lastSets.count ? records([lastSets[place]]) : .noData(serial: 1)
            }
            guard place == 0, let index = nodes.firstIndex(where: { $0.region == region }) else {
                return .noData(serial: 1)
            }
            let parent = parents(of: index)
            return parent == [entrypoint] ? .noData(serial: 1) : records(parent)
        case .node: return .noSuchName(serial: 1)
        case .rootSets, .announceTargets: return .noData(serial: 1)
        }
    }
}
