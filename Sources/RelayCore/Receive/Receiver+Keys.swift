import ReflectorModel
import RelayWire

/// The sealing keys of streams, as parents hand them down.
extension Receiver {
    /// The sealing key that the parent has encrypted for this node. Nil if it has not.
    func key(
        in reply: SubscribeReply, of tag: IncarnationTag, on link: ParentLink, _ core: borrowing NodeCore
    ) -> SealKey? {
        guard let wrapped = reply.key else { return nil }
        for wrapping in link.session.wrapKeys {
            if let key = core.crypto.unwrap(wrapped, of: tag, under: wrapping) { return key }
        }
        return nil
    }

    /// Whether a parent names another key than the one in use, and no packet has arrived under that one for a while: then
    /// the parent that named it lied.
    func needsOtherKey(
        _ stream: StreamState, _ reply: SubscribeReply, _ tag: IncarnationTag, on link: ParentLink,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard let own = stream.incarnation?.key, let key = key(in: reply, of: tag, on: link, core) else {
            return false
        }
        defer { core.crypto.release(key) }
        guard !core.crypto.areEqual(own, key) else { return false }
        core.context.count(.streamKeysContradicted)
        return isStranded(stream, at: now)
    }
}
