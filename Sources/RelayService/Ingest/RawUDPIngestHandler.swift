import NIOCore
import ReflectorModel

/// The UDP port of one stream: MPEG-TS in datagrams of any size from an allowed source, plain or in RTP. The first
/// source that sends MPEG-TS provides the stream until it has been silent for `yieldAfter`.
final class RawUDPIngestHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    /// Maximum number of datagrams kept until the sink accepts or refuses the stream; the queue's limit applies to
    /// their bytes.
    private static let earlyMax = 8_192
    /// Once the encoder has been silent for this long, datagrams from another port of its host mean that it restarted.
    private static let restartSilence = TimeSpan.milliseconds(500)
    /// Shortest time between two reads of the kernel's drop counter.
    private static let dropsInterval = TimeSpan.milliseconds(250)

    private let port: IngestConfiguration.RawPort
    private let registry: EncoderRegistry
    private var options: DatagramPortOptions
    /// A datagram has arrived since the last check of the group.
    private var hasReceived = false
    private var groupTimer: Scheduled<Void>?
    private var source: Endpoint?
    private var session: EncoderSession?
    private var early: [ByteBuffer] = []
    private var earlyBytes = 0
    private var silenceTimer: Scheduled<Void>?
    /// After a refusal, the sink is not called again before this time.
    private var askAgain = MonotonicInstant.zero
    private var dropsAsked = MonotonicInstant.zero
    private var dropsSeen: UInt32 = 0
    private var isInactive = false

    init(port: IngestConfiguration.RawPort, registry: EncoderRegistry, options: DatagramPortOptions) {
        self.port = port
        self.registry = registry
        self.options = options
    }

    func channelActive(context: ChannelHandlerContext) {
        if port.isGroup { watchGroup(context.channel) }
        context.fireChannelActive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        let bytes = envelope.data
        guard let sender = envelope.remoteAddress.endpoint else { return }
        guard port.source == sender.address || (port.source == nil && registry.allows(sender.address)) else {
            return note(.refusedSource, sender)
        }
        guard bytes.readableBytes > 0 else { return note(.datagramEmpty, sender) }
        if isRestart(sender, bytes) {
            session?.finish()
            forget()
        }
        guard let source else {
            guard bytes.withUnsafeReadableBytes(TransportAligner.isPlausible) else {
                return note(.datagramNotTransportStream, sender)
            }
            guard registry.loop.instant >= askAgain else { return note(.refusedUnavailable, sender) }
            keepEarly(bytes)
            return open(for: sender)
        }
        guard sender == source else { return note(.refusedBusy, sender) }
        if let session { session.receiveDatagram(bytes) } else { keepEarly(bytes) }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        hasReceived = true
        session?.pump()
        askDrops(context.channel)
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isInactive = true
        silenceTimer?.cancel()
        groupTimer?.cancel()
        session?.finish()
    }

    private func watchGroup(_ channel: any Channel) {
        groupTimer = registry.loop.assumeIsolated().scheduleTask(in: registry.configuration.rejoinAfter.amount) {
            [self] in
            rejoinIfSilent(channel)
            watchGroup(channel)
        }
    }

    /// Silence is the only sign of a lost membership. While nobody sends, joining again does no harm.
    private func rejoinIfSilent(_ channel: any Channel) {
        defer { hasReceived = false }
        // An interface that was removed may return with another index.
        guard !hasReceived, let fresh = try? DatagramPortOptions(port) else { return }
        let old = options
        options = fresh
        Task { await fresh.join(again: channel, inPlaceOf: old) }
    }

    /// True if the encoder was restarted and now sends from another port of its host. It need not wait for
    /// `yieldAfter`.
    private func isRestart(_ sender: Endpoint, _ bytes: ByteBuffer) -> Bool {
        guard let source, let session, sender != source, sender.address == source.address else { return false }
        return registry.loop.instant - session.lastInput >= Self.restartSilence
            && bytes.withUnsafeReadableBytes(TransportAligner.isPlausible)
    }

    private func note(_ cause: IngestCounter, _ sender: Endpoint) {
        registry.reports.note(cause, stream: port.stream, ["from": "\(sender)"])
    }

    /// Keeps a copy of a datagram, because datagrams that were read together share memory.
    private func keepEarly(_ bytes: ByteBuffer) {
        guard early.count < Self.earlyMax,
            earlyBytes + bytes.readableBytes <= registry.configuration.datagramQueueBytesMax
        else { return registry.reports.note(.datagramOverload, stream: port.stream) }
        early.append(ByteBuffer(bytes: bytes.readableBytesView))
        earlyBytes += bytes.readableBytes
    }

    private func open(for sender: Endpoint) {
        source = sender
        registry.open(port.stream, from: EncoderOrigin(input: .udp, source: sender.address)) { [self] result in
            defer { (early, earlyBytes) = ([], 0) }
            guard case .success(let session) = result else {
                source = nil
                askAgain = registry.loop.instant + .seconds(1)
                return
            }
            self.session = session
            session.onClose = { [registry] in registry.remove(session) }
            session.onRevoked = { [self, weak session] in
                if self.session === session { forget() }
            }
            for bytes in early { session.receiveDatagram(bytes) }
            session.pump()
            if isInactive { session.finish() } else { watchSilence() }
        }
    }

    private func watchSilence() {
        guard let session else { return }
        let due = session.lastInput + registry.configuration.yieldAfter - registry.loop.instant
        guard due > .zero else {
            session.finish()
            return forget()
        }
        silenceTimer = registry.loop.assumeIsolated().scheduleTask(in: due.amount) { [self] in watchSilence() }
    }

    private func forget() {
        silenceTimer?.cancel()
        session = nil
        source = nil
    }

    /// Reads the kernel's drop counter: nothing else shows those drops.
    private func askDrops(_ channel: any Channel) {
        let now = registry.loop.instant
        guard now - dropsAsked >= Self.dropsInterval else { return }
        dropsAsked = now
        DatagramPortOptions.drops(of: channel).assumeIsolated().whenSuccess { [self] total in
            let new = total &- dropsSeen
            dropsSeen = total
            registry.reports.note(.datagramKernelDropped, stream: port.stream, count: Int(new))
        }
    }
}
