import ReflectorModel

/// Splices a new source to the previous one. It holds the new one back until a random access point, so that decoders
/// begin cleanly. It sets `discontinuity_indicator` (ISO/IEC 13818-1 §2.4.3.5) in the first packet of each PID:
/// decoders then expect a new clock and new counters.
struct SourceSplice {
    /// Longest time that the new source is held back.
    private static let heldMax = TimeSpan.seconds(3)
    /// Maximum number of bytes that are held back.
    private static let heldBytesMax = 8 << 20
    /// A PID that first appears later than this is not marked.
    private static let markedMax = TimeSpan.seconds(10)

    private static let nullPID: UInt16 = 0x1fff

    private var held: [UInt8] = []
    private var scanner = TransportStreamScanner()
    private var isHolding = true
    private let begin: MonotonicInstant
    /// PIDs marked so far; at most 8,192, the number of PIDs.
    private var marked: Set<UInt16> = []

    init(at now: MonotonicInstant) { begin = now }

    /// True if everything passes unchanged again.
    func isOver(at now: MonotonicInstant) -> Bool { !isHolding && now - begin > Self.markedMax }

    /// Processes whole packets of the new source, and returns those to send to viewers now.
    mutating func take(_ packets: Span<UInt8>, at now: MonotonicInstant) -> [UInt8] {
        guard isHolding else { return marking(packets) }
        let offset = UInt64(held.count)
        for index in 0..<packets.count { held.append(packets[index]) }
        scanner.scan(packets, at: offset)
        for event in scanner.events {
            guard case .unit(let unit) = event, unit.randomAccess, let tables = scanner.program.tables else { continue }
            return release(tables + held[Int(unit.offset)...])
        }
        guard held.count > Self.heldBytesMax || now - begin > Self.heldMax else { return [] }
        return release(held)
    }

    /// Ends the splice, and returns the packets still held.
    mutating func finish() -> [UInt8] { isHolding ? release(held) : [] }

    private mutating func release(_ bytes: [UInt8]) -> [UInt8] {
        isHolding = false
        held = []
        return marking(bytes.span)
    }

    private mutating func marking(_ packets: Span<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(packets.count + 8 * TransportPacket.length)
        var index = 0
        while packets.count - index >= TransportPacket.length {
            let packet = packets.extracting(index..<index + TransportPacket.length)
            index += TransportPacket.length
            let header = TransportPacket(packet)
            if let header, header.pid != Self.nullPID, !marked.contains(header.pid) {
                Self.appendMarked(header, packet, to: &result)
                // A packet without payload doesn't count: the counter advances with the first one that has payload.
                if !header.payload.isEmpty { marked.insert(header.pid) }
            } else {
                for at in 0..<packet.count { result.append(packet[at]) }
            }
        }
        return result
    }

    /// Appends the packet with the indicator set: in its adaptation field, or in an inserted one. Payload that no
    /// longer fits is sent in a second packet, which keeps the counter of the original one.
    private static func appendMarked(_ header: TransportPacket, _ packet: Span<UInt8>, to result: inout [UInt8]) {
        let start = result.count
        for at in 0..<packet.count { result.append(packet[at]) }
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
