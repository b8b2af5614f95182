import ReflectorModel
import RelayCore

/// What the election costs: the bytes of announcements, heartbeats and reports between three entrypoints and many
/// witnesses, as a share of the data. The data are not simulated: each stream counts once, at its rate.
public struct ElectionTraffic {
    public struct Report: Sendable {
        /// Bytes a second on all links together, with IP and UDP headers.
        public var bytesPerSecond = 0.0
        /// The same as a share of the data, in percent.
        public var percent = 0.0
        /// Encoders that failed or came back while the bytes were counted.
        public var changes = 0
    }

    public var streams = 1_000
    public var witnesses = 50
    public var bitsPerSecond = 2e6
    public var seconds: Int64 = 30
    /// How often in an hour each stream's encoder closes at its leading entrypoint, to be back two seconds later.
    public var failuresPerHour = 0.0
    public var seed: UInt64 = 1

    public static let percentMax = 0.5

    public init() {}

    public func run() -> Report {
        let scenario = TrafficScenario(self)
        let network = scenario.network
        let begin = MonotonicInstant.zero + .seconds(8)
        network.run(before: begin)
        scenario.begin(at: begin)
        network.run(before: begin + .seconds(seconds))
        var report = Report()
        report.bytesPerSecond = Double(scenario.bytes) / Double(seconds)
        report.percent = 100 * report.bytesPerSecond * 8 / (bitsPerSecond * Double(streams))
        report.changes = scenario.changes
        return report
    }
}

/// Entrypoints that all have every stream, and their witnesses, on perfect links.
private final class TrafficScenario: NetworkScenario {
    enum Event {
        /// One packet of every stream at an entrypoint, so that none of them counts as silent.
        case packets(Int)
        case fail(Int)
        case back(Int)
    }

    let network = VirtualNetwork<Event>()
    private(set) var bytes = 0
    private(set) var changes = 0
    private let options: ElectionTraffic
    private var random: SeededGenerator
    private var entrypoints: [VirtualNode] = []
    private let streams: [StreamName]
    private var isCounting = false

    /// IPv4 and UDP headers.
    private static let headers = 28
    private static let portset = PortsetID(4_096)

    init(_ options: ElectionTraffic) {
        self.options = options
        random = SeededGenerator(seed: options.seed)
        streams = (0..<options.streams).compactMap { StreamName("live/channel-\($0)") }
        network.scenario = self
        for number in 0..<3 { entrypoints.append(add("ep-\(number)", .entrypoint)) }
        let witnesses = (0..<options.witnesses).map { add("set-\($0)", .set) }
        for entrypoint in entrypoints { network.names.set(.announceTargets(host: entrypoint.name), to: witnesses) }
        for stream in streams { network.names.set(.candidates(stream), to: entrypoints, portset: Self.portset) }
        for node in network.nodes { network.start(node) }
        for (place, node) in entrypoints.enumerated() {
            for stream in streams { _ = node.relay?.provide(stream, at: .zero) }
            network.settle(node)
            network.schedule(.packets(place), at: .zero + .milliseconds(300))
        }
    }

    func begin(at now: MonotonicInstant) {
        isCounting = true
        guard options.failuresPerHour > 0 else { return }
        network.schedule(.fail(0), at: now + .milliseconds(100))
    }

    func handle(_ event: Event) {
        let now = network.now
        switch event {
        case .packets(let place):
            network.schedule(event, at: now + .seconds(1))
            for stream in streams {
                withUnsafeTemporaryAllocation(byteCount: 8, alignment: 8) { buffer in
                    entrypoints[place].relay?.ingest(UnsafeRawBufferPointer(buffer), stream: stream, at: now)
                }
            }
            network.settle(entrypoints[place])
        case .fail:
            let perSecond = options.failuresPerHour * Double(streams.count) / 3_600
            network.schedule(.fail(0), at: now + TimeSpan(nanoseconds: Int64(1e9 / perSecond)))
            let stream = Int(random.next(below: UInt64(streams.count)))
            entrypoints[0].relay?.encoderLeft(streams[stream], at: now)
            changed(at: now)
            network.schedule(.back(stream), at: now + .seconds(2))
        case .back(let stream):
            _ = entrypoints[0].relay?.provide(streams[stream], at: now)
            changed(at: now)
        }
    }

    func transmit(_ datagram: OutgoingDatagram, from node: VirtualNode) {
        if isCounting { bytes += datagram.length + Self.headers }
        network.send(datagram, from: node.endpoint, at: network.now + .milliseconds(5))
    }

    private func changed(at now: MonotonicInstant) {
        changes += 1
        network.settle(entrypoints[0])
    }

    private func add(_ name: String, _ role: NodeRole) -> VirtualNode {
        var configuration = RelayConfiguration(name: name, role: role)
        configuration.packetsMax = 8_192
        return network.add(
            NodeSetUp(configuration, seed: FixedHash.combine(options.seed, UInt64(network.nodes.count))))
    }
}
