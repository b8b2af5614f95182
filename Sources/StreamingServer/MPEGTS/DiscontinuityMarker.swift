/// Sets `discontinuity_indicator` (ISO/IEC 13818-1 §2.4.3.5) in the first packet of each PID: decoders then expect a new
/// clock and new counters.
struct DiscontinuityMarker {
    private static let nullPID: UInt16 = 0x1fff

    /// PIDs marked so far; at most 8,192, the number of PIDs.
    private var marked: Set<UInt16> = []

    /// Marks the packet, which is the last one of `result` and begins at `start`, if it is the first of its PID.
    mutating func mark(_ header: TransportPacket, _ packet: Span<UInt8>, _ result: inout [UInt8], at start: Int) {
        guard header.pid != Self.nullPID, !marked.contains(header.pid) else { return }
        Self.mark(header, packet, &result, at: start)
        // A packet without payload doesn't count: the counter advances with the first one that has payload.
        if !header.payload.isEmpty { marked.insert(header.pid) }
    }

    /// Sets the indicator in the adaptation field, or in an inserted one. Payload that no longer fits is sent in a second
    /// packet, which keeps the counter of the original one.
    private static func mark(
        _ header: TransportPacket, _ packet: Span<UInt8>, _ result: inout [UInt8], at start: Int
    ) {
        if packet[3] & 0x20 != 0, packet[4] > 0 {
            result[start + 5] |= 0x80
            return
        }
        guard !header.payload.isEmpty else { return }
        let payload = Array(result[(start + header.payload.lowerBound)...])
        result.removeSubrange((start + 4)...)
        result[start + 3] = packet[3] | 0x20
        result += [1, 0x80]
        let room = TransportPacket.length - 6
        result += payload.prefix(room)
        // Stuffing after a section needs no packet.
        let rest = payload.dropFirst(room)
        if rest.allSatisfy({ $0 == 0xff }), header.pid == 0 || isSection(payload, header) { return }
        // The first of the two packets gets the value before the original counter: the indicator allows the jump.
        result[start + 3] = packet[3] & 0xf0 | 0x20 | (header.continuity &- 1) & 0x0f
        let stuffing = TransportPacket.length - 6 - rest.count
        result += [packet[0], packet[1] & ~0x40, packet[2], packet[3] | 0x30, UInt8(stuffing + 1), 0]
        result += [UInt8](repeating: 0xff, count: stuffing)
        result += rest
    }

    /// True if a section begins in this payload; false for a PES packet and for a payload in which nothing begins.
    private static func isSection(_ payload: [UInt8], _ header: TransportPacket) -> Bool {
        header.payloadUnitStart && !(payload.count > 2 && payload[0] == 0 && payload[1] == 0 && payload[2] == 1)
    }
}
