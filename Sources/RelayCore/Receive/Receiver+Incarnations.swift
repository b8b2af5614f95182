import ReflectorModel
import RelayWire

/// The change from one incarnation of a stream to another.
extension Receiver {
    /// Begins the incarnation that a parent sends. If this node is an edge and has delivered a part of it before,
    /// delivery continues there.
    func begin(
        _ tag: IncarnationTag, _ reply: SubscribeReply, key: SealKey, of stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        stream.arrivals.noteAdopted(at: now)
        let incarnation = IncarnationState(
            source: reply.source, incarnation: reply.incarnation, tag: tag, key: key,
            start: reply.oldest.rawValue)
        if let past = stream.deliveries.place(in: tag) { incarnation.resumeDelivery(at: past) }
        stream.begin(incarnation)
        core.streams.bind(tag, to: stream)
    }

    /// Ends an incarnation, and remembers how much of it an edge has delivered.
    func end(_ incarnation: IncarnationState, of stream: StreamState, _ core: inout NodeCore) {
        if handsOut {
            stream.deliveries.noteFinished(incarnation.tag, nextToDeliver: incarnation.nextToDeliver)
        }
        core.streams.unbind(incarnation.tag)
        incarnation.releaseKey(core.crypto)
        stream.endIncarnation()
    }
}
