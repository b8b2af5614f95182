import ReflectorModel
import RelayWire

/// Network keys that roll while streams flow (design §7): two are accepted, packets name theirs by its phase, and an
/// incarnation goes over from one to the other between two packets.
extension Receiver {
    /// The key by which a packet of this phase was sealed. Nil if there is no incarnation, or no such network key.
    @inline(__always)
    func sealKey(phase: UInt8, of stream: StreamState, _ crypto: any PacketCrypto) -> SealKey? {
        guard let incarnation = stream.incarnation else { return nil }
        if phase == incarnation.keyPhase { return incarnation.key }
        return otherKey(phase: phase, of: stream, incarnation, crypto)
    }

    private func otherKey(
        phase: UInt8, of stream: StreamState, _ incarnation: IncarnationState, _ crypto: any PacketCrypto
    ) -> SealKey? {
        if let other = incarnation.otherKey, other.phase == phase { return other.key }
        guard
            let key = crypto.makeSealKey(
                phase: phase, stream: stream.name, source: incarnation.source, incarnation: incarnation.incarnation)
        else { return nil }
        if let other = incarnation.otherKey { crypto.release(other.key) }
        incarnation.otherKey = (phase, key)
        return key
    }

    /// An authentic packet of another phase than the one in use: if it is newer than all before it, the entrypoint has
    /// gone over, and new children learn the new phase.
    func noteKeyPhase(_ header: DataHeader, of stream: StreamState) {
        guard let incarnation = stream.incarnation, header.sequence.rawValue > incarnation.index.highest,
            let other = incarnation.otherKey, other.phase == header.keyPhase
        else { return }
        incarnation.otherKey = (incarnation.keyPhase, incarnation.key)
        (incarnation.keyPhase, incarnation.key) = other
    }
}
