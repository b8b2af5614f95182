import ReflectorModel
import RelayWire

/// An edge's delivery, step by step: `PlayOut` decides, and the node delivers.
extension Receiver {
    /// The incarnation whose packets should be delivered; nil if this node delivers none.
    @inline(__always)
    func beginDelivery(of stream: StreamState) -> IncarnationTag? {
        guard handsOut, let incarnation = stream.incarnation else { return nil }
        incarnation.beginDelivery()
        return incarnation.tag
    }

    /// The next step in delivering an incarnation. Numbers given up are counted.
    ///
    /// - Parameter isLast: whether everything that is still missing is given up now.
    func nextStep(
        of stream: StreamState, _ incarnation: IncarnationState, isLast: Bool, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> PlayOut.Step {
        let step = playOut?.next(of: incarnation, core.log, isLast: isLast, at: now, &core.context) ?? .done
        if case .skip(let lost) = step {
            stream.deliveries.noteLost(lost)
            core.context.count(.lost, lost)
        }
        return step
    }

    /// The payload in a slot of the log, counted as delivered. Nil for a filler.
    func takePayload(
        _ slot: Int32, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> UnsafeRawBufferPointer? {
        guard !core.log[slot].isFiller, let payload = payload(in: slot, of: stream, core) else { return nil }
        let residence = now - core.log[slot].arrival
        stream.deliveries.noteDelivered(at: now)
        stream.departures.noteHandedOut(after: residence)
        core.context.noteResidence(residence)
        core.context.count(.delivered)
        return payload
    }

    /// The payload of a packet in the log; valid until the next packet is opened. Nil if it can't be opened, which means
    /// that the stream has ended.
    private func payload(
        in slot: Int32, of stream: StreamState, _ core: borrowing NodeCore
    ) -> UnsafeRawBufferPointer? {
        let packet = core.log.bytes(slot)
        let body = WireLimits.streamHeaderLength
        guard forwards else { return UnsafeRawBufferPointer(rebasing: packet[body...]) }
        guard let incarnation = stream.incarnation else { return nil }
        let header = UnsafeRawBufferPointer(rebasing: packet[..<body])
        let isTwin = header[body - 1] == PacketKind.twin.rawValue
        guard let key = isTwin ? incarnation.twinKey : incarnation.key else { return nil }
        let end = packet.count - WireLimits.sealTagLength
        let plaintext = UnsafeMutableRawBufferPointer(rebasing: core.context.scratch[..<(end - body)])
        guard
            core.crypto.open(
                key, sequence: core.log[slot].sequence, header: header,
                ciphertext: UnsafeRawBufferPointer(rebasing: packet[body..<end]),
                tag: UnsafeRawBufferPointer(rebasing: packet[end...]), into: plaintext)
        else { return nil }
        return UnsafeRawBufferPointer(plaintext)
    }
}
