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
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer

    private let configuration: RelayConfiguration
    private let seed: UInt64
    private var lives: UInt64 = 0

    init(_ index: Int, _ configuration: RelayConfiguration, seed: UInt64, at now: MonotonicInstant) {
        self.index = index
        self.configuration = configuration
        self.seed = seed
        name = configuration.name
        region = configuration.region
        receiver = configuration.role == .edge ? LineReceiver() : nil
        headers = .allocate(byteCount: 1 << 16, alignment: 16)
        batch = DatagramBatch(countMax: 64, headers: headers)
        start(at: now)
    }

    deinit { headers.deallocate() }

    func start(at now: MonotonicInstant) {
        lives += 1
        let seed = FixedHash.combine(seed, lives)
        let crypto = SimulatedCrypto(networkKeys: [0x11fe], seed: seed)
        relay = RelayNode(configuration: configuration, crypto: crypto, seed: seed, sink: receiver, now: now)
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
        guard let relay else { return }
        while relay.hasOutput(at: now) {
            batch.removeAll()
            let more = relay.transmit(at: now, into: &batch)
            for entry in batch.entries {
                let start = Int(entry.headerOffset)
                send(entry, UnsafeRawBufferPointer(rebasing: headers[start..<start + Int(entry.headerLength)]))
            }
            if !more { break }
        }
    }
}
