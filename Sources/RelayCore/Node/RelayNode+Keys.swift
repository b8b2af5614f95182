import ReflectorModel
import RelayWire

/// Network keys that roll while streams flow (design §7): two are accepted, packets name theirs by its phase, and an
/// incarnation goes over from one to the other between two packets.
extension RelayNode {
    /// The key by which a packet of this phase was sealed. Nil if there is no incarnation, or no such network key.
    func sealKey(phase: UInt8, of stream: StreamState) -> SealKey? {
        guard let incarnation = stream.incarnation else { return nil }
        if phase == incarnation.keyPhase { return incarnation.key }
        if let other = incarnation.otherKey, other.phase == phase { return other.key }
        guard
            let key = crypto.makeSealKey(
                phase: phase, stream: stream.name, source: incarnation.source,
                incarnation: incarnation.incarnation)
        else { return nil }
        if let other = incarnation.otherKey { crypto.release(other.key) }
        incarnation.otherKey = (phase, key)
        return key
    }

    /// An authentic packet of another phase than the one in use: if it is newer than all before it, the entrypoint has
    /// gone over, and new children are told so.
    func noteKeyPhase(_ header: DataHeader, of stream: StreamState) {
        guard let incarnation = stream.incarnation,
            header.sequence.rawValue > incarnation.index.highest,
            let other = incarnation.otherKey, other.phase == header.keyPhase
        else { return }
        incarnation.otherKey = (incarnation.keyPhase, incarnation.key)
        (incarnation.keyPhase, incarnation.key) = other
    }

    func releaseKeys(of incarnation: IncarnationState) {
        incarnation.releaseKeys(core.crypto)
    }
}
