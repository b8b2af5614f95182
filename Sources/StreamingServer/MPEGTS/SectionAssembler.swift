/// Assembles the sections of one PID (ISO/IEC 13818-1 §2.4.4) from its packets: several sections may begin in one
/// packet, and one may span many.
struct SectionAssembler {
    /// Longest PAT or PMT section: 3 bytes and a `section_length` of at most 1021.
    static let sectionLengthMax = 1024
    /// Shortest section with a CRC.
    private static let sectionLengthMin = 12

    /// A complete section with a correct CRC.
    struct Section: Equatable {
        var bytes: [UInt8]
        /// `continuity_counter` of the packet that it begins in.
        var continuity: UInt8
        /// Where that packet lies in the stream.
        var offset: UInt64
    }

    private var section: [UInt8] = []
    private var offset: UInt64 = 0
    private var continuity: UInt8 = 0

    /// Processes the next packet of this PID. Returns the sections that this packet completes.
    mutating func receive(_ header: TransportPacket, _ bytes: Span<UInt8>, at position: UInt64) -> [Section] {
        var start = header.payload.lowerBound
        guard start < bytes.count else { return [] }
        var found: [Section] = []
        if header.payloadUnitStart {
            let first = start + 1 + Int(bytes[start])
            guard first < bytes.count else {
                section.removeAll(keepingCapacity: true)
                return []
            }
            // The bytes before the pointer's target end the section that began earlier.
            if !section.isEmpty {
                for index in start + 1..<first { section.append(bytes[index]) }
                takeWhole(into: &found)
            }
            section.removeAll(keepingCapacity: true)
            start = first
        } else if section.isEmpty {
            return []
        }
        for index in start..<bytes.count { section.append(bytes[index]) }
        if header.payloadUnitStart {
            offset = position
            continuity = header.continuity
            while takeWhole(into: &found) {}
        } else if takeWhole(into: &found) {
            // If no section begins in this packet, only stuffing can follow.
            section.removeAll(keepingCapacity: true)
        }
        return found
    }

    /// Removes a complete section from the front, and adds it to `found` if its CRC is correct. True if another section
    /// may follow it.
    @discardableResult
    private mutating func takeWhole(into found: inout [Section]) -> Bool {
        guard let table = section.first else { return false }
        // Stuffing fills the rest.
        guard table != 0xff else {
            section.removeAll(keepingCapacity: true)
            return false
        }
        guard section.count >= 3 else { return false }
        let length = 3 + (Int(section[1] & 0x0f) << 8 | Int(section[2]))
        guard length <= Self.sectionLengthMax else {
            section.removeAll(keepingCapacity: true)
            return false
        }
        guard section.count >= length else { return false }
        let whole = section[..<length]
        if length >= Self.sectionLengthMin, Self.checksum(whole) == 0 {
            found.append(Section(bytes: Array(whole), continuity: continuity, offset: offset))
        }
        section.removeFirst(length)
        return true
    }

    /// The packets that carry the section and nothing else.
    /// - Parameter continuity: counter of the first packet.
    static func packets(of section: [UInt8], pid: UInt16, continuity: UInt8) -> [UInt8] {
        let payload = [0] + section
        let room = TransportPacket.length - 4
        var packets: [UInt8] = []
        for (index, start) in stride(from: 0, to: payload.count, by: room).enumerated() {
            let part = payload[start..<min(start + room, payload.count)]
            let high = UInt8(truncatingIfNeeded: pid >> 8) & 0x1f | (index == 0 ? 0x40 : 0)
            let counter = (continuity &+ UInt8(truncatingIfNeeded: index)) & 0x0f
            packets += [TransportPacket.syncByte, high, UInt8(truncatingIfNeeded: pid), 0x10 | counter]
            packets += part
            packets += [UInt8](repeating: 0xff, count: room - part.count)
        }
        return packets
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
