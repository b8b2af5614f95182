/// Changes to single transport packets, which keep their length.
enum PacketEdit {
    /// Removes the first `count` bytes of the payload: stuffing in the adaptation field takes their place. The packet
    /// then no longer begins a PES packet or section.
    static func trimPayload(_ count: Int, _ header: TransportPacket, _ bytes: inout [UInt8], at start: Int) {
        guard count > 0, count < header.payload.count else { return }
        let begin = start + header.payload.lowerBound
        let payload = Array(bytes[(begin + count)..<start + TransportPacket.length])
        bytes[start + 1] &= ~0x40
        if bytes[start + 3] & 0x20 == 0 {
            bytes[start + 3] |= 0x20
            bytes[start + 4] = UInt8(count - 1)
            if count > 1 { bytes[start + 5] = 0 }
            for index in start + 6..<max(start + 6, begin + count) { bytes[index] = 0xff }
        } else {
            // A length of 0 has no byte for flags.
            let isBare = bytes[start + 4] == 0
            bytes[start + 4] += UInt8(count)
            for index in begin..<begin + count { bytes[index] = 0xff }
            if isBare { bytes[start + 5] = 0 }
        }
        bytes.replaceSubrange((begin + count)..<start + TransportPacket.length, with: payload)
    }

    /// Removes the program clock reference from the adaptation field: stuffing takes its place.
    static func removeClock(_ bytes: inout [UInt8], at start: Int) {
        let length = Int(bytes[start + 4])
        guard bytes[start + 3] & 0x20 != 0, length >= 7, bytes[start + 5] & 0x10 != 0 else { return }
        bytes[start + 5] &= ~0x10
        let end = start + 5 + length
        bytes.replaceSubrange((start + 6)..<end, with: bytes[(start + 12)..<end] + [UInt8](repeating: 0xff, count: 6))
    }
}
