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

    /// The keys behind the node's `crypto` have changed: streams that are provided here are sealed with the first of them
    /// from now on. True if a stream has another key now, which must be announced.
    func rollKeys(_ core: inout NodeCore) -> Bool {
        guard let phase = core.crypto.keyPhases.first else { return false }
        var hasChanged = false
        for stream in core.streams.all where stream.origin != nil {
            guard let incarnation = stream.incarnation, incarnation.keyPhase != phase,
                let key = core.crypto.makeSealKey(
                    phase: phase, stream: stream.name, source: core.context.id, incarnation: incarnation.incarnation)
            else { continue }
            core.crypto.release(incarnation.key)
            incarnation.key = key
            incarnation.keyPhase = phase
            hasChanged = true
        }
        return hasChanged
    }
}

extension IncarnationState {
    func releaseKeys(_ crypto: any PacketCrypto) {
        crypto.release(key)
        if let otherKey { crypto.release(otherKey.key) }
    }
}
