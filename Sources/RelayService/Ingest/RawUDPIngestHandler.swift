import NIOCore
import ReflectorModel

/// A stream's own UDP port: MPEG-TS in datagrams of any size from an allowed source, plain or in RTP. The first source
/// to send some provides the stream until it has been silent for `yieldAfter`.
final class RawUDPIngestHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    /// Datagrams kept while the sink is asked whether it takes the stream; their bytes are bounded as the queue's are.
    private static let earlyMax = 8_192
    /// Silence after which another port of the same host is the same encoder, started again.
    private static let restartSilence = TimeSpan.milliseconds(500)
    /// How often the kernel is asked what it had to drop.
    private static let dropsInterval = TimeSpan.milliseconds(250)

    private let port: IngestConfiguration.RawPort
    private let registry: EncoderRegistry
    private var options: DatagramPortOptions
    /// Something has come since the group was last looked after.
    private var hasHeard = false
    private var groupTimer: Scheduled<Void>?
    private var source: Endpoint?
    private var session: EncoderSession?
    private var early: [ByteBuffer] = []
    private var earlyBytes = 0
    private var silenceTimer: Scheduled<Void>?
    /// After a refusal the sink is not asked again before this.
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
        hasHeard = true
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

    /// Nothing shows that a membership is lost but silence. While nobody sends, joining again harms nothing.
    private func rejoinIfSilent(_ channel: any Channel) {
        defer { hasHeard = false }
        // An interface that has gone may come back under another number.
        guard !hasHeard, let fresh = try? DatagramPortOptions(port) else { return }
        let old = options
        options = fresh
        Task { await fresh.join(again: channel, inPlaceOf: old) }
    }

    /// An encoder that was started again sends from another port of the same host; it need not wait for `yieldAfter`.
    private func isRestart(_ sender: Endpoint, _ bytes: ByteBuffer) -> Bool {
        guard let source, let session, sender != source, sender.address == source.address else { return false }
        return registry.loop.instant - session.lastInput >= Self.restartSilence
            && bytes.withUnsafeReadableBytes(TransportAligner.isPlausible)
    }

    private func note(_ cause: IngestCounter, _ sender: Endpoint) {
        registry.reports.note(cause, stream: port.stream, ["from": "\(sender)"])
    }

    /// A copy: what was read together shares its memory.
    private func keepEarly(_ bytes: ByteBuffer) {
        guard early.count < Self.earlyMax,
            earlyBytes + bytes.readableBytes <= registry.configuration.datagramQueueBytesMax
        else { return registry.reports.note(.datagramOverload, stream: port.stream) }
        early.append(ByteBuffer(bytes: bytes.readableBytesView))
        earlyBytes += bytes.readableBytes
    }

    private func open(for sender: Endpoint) {
        source = sender
        registry.open(port.stream, takesDatagrams: true, from: sender.address) { [self] result in
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

    /// What the kernel dropped shows nowhere else.
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
