import DatagramIO
import Logging
import PacketSealing
import ReflectorModel
import RelayWire

/// The thin shell around a `Prober`: a socket for each address family, a timer, and a thread for them.
final class ProbeLoop: DatagramHandler {
    private let loop: DatagramLoop
    private let prober: Prober
    private let crypto: LibcryptoPacketCrypto
    private let sockets: [DatagramSocket]
    private let published: @Sendable (ProberReport, _ isComplete: Bool) -> Void
    private var publishedRevision: UInt64?
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer
    private static let batchMax = 64

    init(
        loop: DatagramLoop, prober: Prober, crypto: LibcryptoPacketCrypto, sockets: [DatagramSocket],
        published: @escaping @Sendable (ProberReport, Bool) -> Void
    ) {
        self.loop = loop
        self.prober = prober
        self.crypto = crypto
        self.sockets = sockets
        self.published = published
        headers = .allocate(byteCount: Self.batchMax * WireLimits.handshakeLengthMax, alignment: 16)
        batch = DatagramBatch(countMax: Self.batchMax, headers: headers)
    }

    deinit { headers.deallocate() }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        prober.receive(UnsafeRawBufferPointer(datagram.bytes), from: datagram.source, at: now)
    }

    func timerFired(at now: MonotonicInstant) { prober.handleTimeout(at: now) }

    func wakeEnded(at now: MonotonicInstant) {
        flush()
        let next = prober.nextTimeout
        loop.nextWakeup = next == .distantFuture ? nil : next
        guard prober.monitor.revision != publishedRevision else { return }
        publishedRevision = prober.monitor.revision
        published(prober.monitor.report, prober.monitor.isComplete)
    }

    func setTargets(_ targets: [ProbeTarget]) { prober.setTargets(targets, at: loop.now) }

    /// Switches to other network keys, which libcrypto has already accepted.
    func replaceKeys(_ keys: [(phase: UInt8, key: [UInt8])]) {
        guard (try? crypto.replaceNetworkKeys(keys)) != nil else { return }
        prober.keysChanged()
    }

    var counters: [String: UInt64] {
        [
            "probes_sent": prober.counters.sent, "probes_answered": prober.counters.answered,
            "probes_missed": prober.counters.missed, "probes_rejected": prober.counters.rejected,
            "probes_late_wakeups": prober.counters.lateWakeups,
            "probe_targets_left_out": prober.counters.targetsLeftOut, "probe_freezes": prober.monitor.freezes,
        ]
    }

    private func flush() {
        let output = prober.takeOutput()
        for socket in sockets {
            let own = output.filter { $0.destination.address.isV4 == socket.local.address.isV4 }
            for start in stride(from: 0, to: own.count, by: Self.batchMax) {
                batch.removeAll()
                for datagram in own[start..<min(start + Self.batchMax, own.count)] {
                    batch.append(to: datagram.destination, headerLengthMax: datagram.bytes.count, body: nil) { room in
                        room.copyBytes(from: datagram.bytes)
                        return datagram.bytes.count
                    }
                }
                socket.send(batch)
            }
        }
    }
}
