/// Puts together the sections of one PID (ISO/IEC 13818-1 §2.4.4) from its packets, and keeps the packets themselves,
/// so that HLS can repeat the tables at the start of a segment.
struct SectionAssembler {
    /// Longest PAT or PMT section: 3 bytes and a `section_length` of at most 1021.
    static let sectionLengthMax = 1024

    /// A complete section whose CRC is right, and the packets that carried it.
    struct Section {
        var bytes: [UInt8]
        var packets: [UInt8]
        /// Where the first of these packets lies in the stream.
        var offset: UInt64
    }

    private var section: [UInt8] = []
    private var packets: [UInt8] = []
    private var offset: UInt64 = 0

    /// Takes the next packet of this PID. Returns a section when this packet completes one.
    mutating func receive(_ header: TransportPacket, _ bytes: Span<UInt8>, at position: UInt64) -> Section? {
        var start = header.payload.lowerBound
        guard start < bytes.count else { return nil }
        if header.payloadUnitStart {
            // Only the first section that starts in a packet is read: PAT and PMT stand alone in practice.
            start += 1 + Int(bytes[start])
            guard start < bytes.count else {
                reset()
                return nil
            }
            reset()
            offset = position
        } else if packets.isEmpty {
            return nil
        }
        for index in 0..<bytes.count { packets.append(bytes[index]) }
        for index in start..<bytes.count { section.append(bytes[index]) }
        guard section.count >= 3 else { return nil }
        let length = 3 + (Int(section[1] & 0x0f) << 8 | Int(section[2]))
        guard length <= Self.sectionLengthMax, length >= 12 else {
            reset()
            return nil
        }
        guard section.count >= length else { return nil }
        defer { reset() }
        section.removeLast(section.count - length)
        guard Self.checksum(section) == 0 else { return nil }
        return Section(bytes: section, packets: packets, offset: offset)
    }

    private mutating func reset() {
        section.removeAll(keepingCapacity: true)
        packets.removeAll(keepingCapacity: true)
    }

    /// CRC-32/MPEG-2 (ISO/IEC 13818-1 annex A): 0 over a section that ends in its own CRC.
    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        var crc: UInt32 = 0xffff_ffff
        for byte in bytes {
            crc ^= UInt32(byte) << 24
            for _ in 0..<8 { crc = crc & 0x8000_0000 == 0 ? crc << 1 : crc << 1 ^ 0x04c1_1db7 }
        }
        return crc
    }
}
