import ReflectorModel
import RelayCore

/// A node of the line, with its socket.
final class LineNode {
    let index: Int
    let name: String
    let region: RegionID?
    /// Nil while its process does not run.
    private(set) var relay: RelayNode?
    let receiver: LineReceiver?
    var wakeAt = MonotonicInstant.distantFuture
    var pausedUntil = MonotonicInstant.zero
    /// What came while the node was paused, by place in the pool and sender.
    var socket: [(place: Int32, from: Int32)] = []
    var onWake: (() -> Void)?
    private let outbox = Outbox(datagramsMax: 64, headerBytes: 1 << 16)

    /// Gets what an edge delivers instead of `receiver`.
    private let sink: (any StreamSink)?
    private let configuration: RelayConfiguration
    private let makeMeasurements: (() -> any LinkMeasurements)?
    private let seed: UInt64
    private var lives: UInt64 = 0

    init(
        _ index: Int, _ configuration: RelayConfiguration, makeMeasurements: (() -> any LinkMeasurements)? = nil,
        sink: (any StreamSink)? = nil, seed: UInt64, at now: MonotonicInstant
    ) {
        self.index = index
        self.makeMeasurements = makeMeasurements
        self.configuration = configuration
        self.seed = seed
        name = configuration.name
        region = configuration.region
        self.sink = sink
        receiver = configuration.role == .edge && sink == nil ? LineReceiver() : nil
        start(at: now)
    }

    func start(at now: MonotonicInstant) {
        lives += 1
        let seed = FixedHash.combine(seed, lives)
        let crypto = SimulatedCrypto(networkKeys: [0x11fe], seed: seed)
        relay = RelayNode(
            configuration: configuration, crypto: crypto, seed: seed, sink: sink ?? receiver,
            makeMeasurements: makeMeasurements, now: now)
    }

    func crash() {
        relay = nil
        socket = []
        onWake = nil
        wakeAt = .distantFuture
    }

    /// As an event loop would: first the socket, then the timers.
    func wake(at now: MonotonicInstant) {
        onWake?()
        onWake = nil
        relay?.handleTimeout(at: now)
    }

    func drain(at now: MonotonicInstant, _ send: (DatagramBatch.Entry, UnsafeRawBufferPointer) -> Void) {
        if let relay { outbox.drain(relay, at: now, send) }
    }
}
