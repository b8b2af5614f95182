import NIOCore
import ReflectorModel

/// A stream's own UDP port: each datagram from an allowed source is one payload, as it is. The first source to send
/// provides the stream until it has been silent for `yieldAfter`.
final class RawUDPIngestHandler: ChannelInboundHandler {
    typealias InboundIn = AddressedEnvelope<ByteBuffer>
    /// Datagrams kept while the sink is asked whether it takes the stream.
    private static let earlyMax = 64

    private let stream: StreamName
    private let registry: EncoderRegistry
    private var source: Endpoint?
    private var session: EncoderSession?
    private var early: [ByteBuffer] = []
    private var batch = PayloadBatch()
    private var silenceTimer: Scheduled<Void>?
    /// After a refusal the sink is not asked again before this.
    private var askAgain = MonotonicInstant.zero

    init(stream: StreamName, registry: EncoderRegistry) {
        self.stream = stream
        self.registry = registry
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let envelope = unwrapInboundIn(data)
        let bytes = envelope.data
        guard let sender = envelope.remoteAddress.endpoint, registry.allows(sender.address) else {
            return registry.counters.add(to: .refusedSource)
        }
        guard bytes.readableBytes > 0 else { return registry.counters.add(to: .datagramEmpty) }
        guard bytes.readableBytes <= registry.configuration.payloadBytes else {
            return registry.counters.add(to: .datagramTooLarge)
        }
        guard let source else {
            guard registry.loop.instant >= askAgain else { return registry.counters.add(to: .refusedUnavailable) }
            early.append(bytes)
            return open(for: sender)
        }
        guard sender == source else { return registry.counters.add(to: .refusedBusy) }
        if let session {
            _ = session.receiveDatagram(bytes, into: &batch)
        } else if early.count < Self.earlyMax {
            early.append(bytes)
        } else {
            registry.counters.add(to: .datagramOverload)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        handOver()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        silenceTimer?.cancel()
        session?.finish()
    }

    private func open(for sender: Endpoint) {
        source = sender
        registry.open(stream) { [self] result in
            guard case .success(let session) = result else {
                source = nil
                early = []
                askAgain = registry.loop.instant + .seconds(1)
                return
            }
            self.session = session
            session.onClose = { [registry] in registry.remove(session) }
            session.onRevoked = { [self] in forget() }
            for bytes in early { _ = session.receiveDatagram(bytes, into: &batch) }
            early = []
            handOver()
            watchSilence()
        }
    }

    private func handOver() {
        guard !batch.isEmpty else { return }
        session?.hand(over: batch)
        batch = PayloadBatch()
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
        batch = PayloadBatch()
    }
}
