import ReflectorModel
import RelayCore

/// What a node of the virtual network needs to start.
struct NodeSetUp {
    var configuration: RelayConfiguration
    /// The receiver of an edge's deliveries.
    var sink: (any StreamSink)?
    var makeMeasurements: (() -> any LinkMeasurements)?
    /// The node's secrets are derived from this seed; they are different after each start.
    var seed: UInt64 = 0
    /// Maximum number of datagrams in one batch; small batches show whether half-drained queues lose anything.
    var batchMax = 64

    init(
        _ configuration: RelayConfiguration, sink: (any StreamSink)? = nil,
        makeMeasurements: (() -> any LinkMeasurements)? = nil, seed: UInt64 = 0, batchMax: Int = 64
    ) {
        self.configuration = configuration
        self.sink = sink
        self.makeMeasurements = makeMeasurements
        self.seed = seed
        self.batchMax = batchMax
    }
}

/// A host of the virtual network: a `RelayNode` while its process runs, and its socket.
final class VirtualNode {
    /// A datagram that waits in the socket.
    struct Waiting {
        var slot: Int32
        var from: Endpoint
        var local: UInt8
    }

    let index: Int
    let setUp: NodeSetUp
    /// Its addresses, best first; empty while it is off the network. Set by `VirtualNetwork.setAddresses`.
    var addresses: [Endpoint] {
        didSet { endpoint = addresses.first ?? endpoint }
    }
    /// Its first address, or its previous one while it has no address.
    private(set) var endpoint: Endpoint
    /// Nil while the process does not run.
    private(set) var relay: RelayNode?
    private(set) var crypto: SimulatedCrypto?
    /// The number of starts and crashes of the process: odd while it runs. An answer to an earlier life is dropped.
    private(set) var life = 0
    /// The process is paused until this instant; datagrams wait in the socket.
    private(set) var pausedUntil = MonotonicInstant.zero
    /// Datagrams that arrived while the process was paused.
    private(set) var socket: [Waiting] = []
    /// How many ICMP messages the host may send to each address now, while the process does not run.
    private var refusals: [Endpoint: (count: Int64, since: MonotonicInstant)] = [:]
    /// As Linux limits them: a burst, then one a second (icmp_ratelimit).
    private static let refusalsBurst: Int64 = 6
    private let outbox: Outbox
    /// Maximum number of datagrams that the socket holds.
    static let socketMax = 2_048

    init(index: Int, _ setUp: NodeSetUp, endpoint: Endpoint) {
        self.index = index
        self.setUp = setUp
        self.endpoint = endpoint
        addresses = [endpoint]
        outbox = Outbox(datagramsMax: setUp.batchMax, headerBytes: 1 << 16)
    }

    var name: String { setUp.configuration.name }
    var role: NodeRole { setUp.configuration.role }
    var region: RegionID? { setUp.configuration.region }
    var isUp: Bool { relay != nil }

    func start(crypto: SimulatedCrypto, seed: UInt64, at now: MonotonicInstant) {
        life += 1
        self.crypto = crypto
        pausedUntil = now
        relay = RelayNode(
            configuration: setUp.configuration, crypto: crypto,
            handshakes: crypto.handshakes(for: setUp.configuration, at: now), seed: seed, sink: setUp.sink,
            makeMeasurements: setUp.makeMeasurements, now: now)
    }

    /// Takes over a running process that the caller created.
    func adopt(_ relay: RelayNode) {
        life += 1
        self.relay = relay
    }

    func crash() {
        life += 1
        relay = nil
        crypto = nil
        refusals = [:]
    }

    /// True if the host may send an ICMP message to this address now.
    func mayRefuse(_ source: Endpoint, at now: MonotonicInstant) -> Bool {
        var sent = refusals[source] ?? (0, now)
        let over = (now - sent.since).milliseconds / 1_000
        sent = (max(sent.count - over, 0), sent.since + .seconds(over))
        guard sent.count < Self.refusalsBurst else { return false }
        refusals[source] = (sent.count + 1, sent.since)
        return true
    }

    func pause(until: MonotonicInstant) { pausedUntil = max(pausedUntil, until) }

    /// Keeps a datagram in the socket. False if the socket is full.
    func keep(_ datagram: Waiting) -> Bool {
        guard socket.count < Self.socketMax else { return false }
        socket.append(datagram)
        return true
    }

    func emptySocket() -> [Waiting] {
        defer { socket.removeAll() }
        return socket
    }

    /// Drains all datagrams that the node has to send.
    func drain(at now: MonotonicInstant, _ send: (OutgoingDatagram) -> Void) {
        guard let relay else { return }
        outbox.drain(relay, at: now) { entry, header in send(OutgoingDatagram(entry, header: header)) }
    }

    /// The source address of a datagram: the address whose number it has or, if it has none, the node's first address
    /// of the destination's family.
    func source(of datagram: OutgoingDatagram) -> Endpoint? {
        if datagram.local > 0 { return addresses[Int(datagram.local) - 1] }
        return addresses.first { $0.address.isV4 == datagram.destination.address.isV4 }
    }

    /// The instant at which the node must run next.
    var nextTimeout: MonotonicInstant { relay.map { max($0.nextTimeout, pausedUntil) } ?? .distantFuture }
}
