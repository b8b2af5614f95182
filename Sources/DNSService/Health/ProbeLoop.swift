import DatagramIO
import IdentityKeys
import Logging
import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayWire

/// A change of what a prober knows.
struct Publication: Sendable {
    var report: ProberReport
    var isHealthChanged: Bool
    var areLeadsChanged: Bool
    /// Every target has a first result.
    var isComplete: Bool
}

/// The thin shell around a `Prober`: a socket for each address family, a timer, and a thread for them.
final class ProbeLoop: DatagramHandler {
    private let loop: DatagramLoop
    private let prober: Prober<LibcryptoIdentityCrypto>
    private let crypto: LibcryptoPacketCrypto
    private let logger: Logger
    private let sockets: [DatagramSocket]
    private let published: @Sendable (Publication) -> Void
    private var publishedRevision: UInt64?
    private var publishedLeads: UInt64 = 0
    private var batch: DatagramBatch
    private let headers: UnsafeMutableRawBufferPointer
    private static let batchMax = 64

    init(
        loop: DatagramLoop, identity: IdentityFolder, crypto: LibcryptoPacketCrypto, seed: UInt64,
        sockets: [DatagramSocket], logger: Logger,
        published: @escaping @Sendable (Publication) -> Void
    ) {
        self.loop = loop
        self.crypto = crypto
        self.logger = logger
        let trust = PeerTrust(authorities: identity.authorities, zone: identity.content.zone)
        prober = Prober(
            identity: ProbeIdentity(
                LibcryptoIdentityCrypto(), credential: identity.credential, trust: trust,
                seconds: WallClock.certificateSeconds, at: loop.now),
            crypto: crypto, seed: seed
        ) { crypto.install($0) }
        self.sockets = sockets
        self.published = published
        headers = .allocate(
            byteCount: Self.batchMax * max(WireLimits.handshakeLengthMax, WireLimits.controlLengthMax), alignment: 16)
        batch = DatagramBatch(countMax: Self.batchMax, headers: headers)
    }

    deinit { headers.deallocate() }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        prober.receive(UnsafeRawBufferPointer(datagram.bytes), from: datagram.source, at: now)
    }

    func timerFired(at now: MonotonicInstant) {
        prober.setSeconds(WallClock.certificateSeconds, at: now)
        prober.handleTimeout(at: now)
    }

    func wakeEnded(at now: MonotonicInstant) {
        flush()
        let next = prober.nextTimeout
        loop.nextWakeup = next == .distantFuture ? nil : next
        for (target, problem) in prober.takeProblems() {
            logger.warning(
                "set reflector can't be probed", metadata: ["name": "\(target.name)", "cause": "\(problem)"])
        }
        let isHealthChanged = prober.monitor.revision != publishedRevision
        let areLeadsChanged = prober.leads.revision != publishedLeads
        guard isHealthChanged || areLeadsChanged else { return }
        (publishedRevision, publishedLeads) = (prober.monitor.revision, prober.leads.revision)
        var report = prober.monitor.report
        report.leads = prober.leads.report
        published(
            Publication(
                report: report, isHealthChanged: isHealthChanged, areLeadsChanged: areLeadsChanged,
                isComplete: prober.monitor.isComplete))
    }

    func setTargets(_ targets: [ProbeTarget], _ files: StreamWitnesses?) {
        prober.replace(files)
        prober.setTargets(targets, at: loop.now)
    }

    func replace(_ identity: IdentityFolder) {
        prober.replace(identity.credential, authorities: identity.authorities)
    }

    /// Takes the zone's list. One that no admin signed does not count; then the previous one stays in force.
    func replace(_ revocations: RevocationList?) {
        guard let revocations else { return }
        guard prober.replace(revocations) else {
            return logger.error("revocation list refused: no admin of the `operators` file signed it")
        }
    }

    var leadCounters: LeadCounters { prober.leads.counters }

    var counters: [String: UInt64] {
        [
            "probes_sent": prober.counters.sent, "probes_answered": prober.counters.answered,
            "probes_missed": prober.counters.missed, "probes_rejected": prober.counters.rejected,
            "probes_late_wakeups": prober.counters.lateWakeups,
            "probe_targets_left_out": prober.counters.targetsLeftOut, "probe_freezes": prober.monitor.freezes,
            "probe_links_opened": prober.counters.linksOpened, "probe_links_refused": prober.counters.refused,
            "probe_targets_distrusted": prober.counters.distrusted,
            "leads_refused": prober.leads.counters.refused, "leads_dropped": prober.leads.counters.dropped,
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
