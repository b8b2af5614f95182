/// The start of a PES packet (ISO/IEC 13818-1 §2.4.3.6), as far as it lies in the first transport packet.
struct AccessUnitStart: Equatable {
    /// Presentation time stamp, 33 bits of 90 kHz.
    var timestamp: UInt64
    /// Where the elementary stream begins in the transport packet.
    var dataOffset: Int

    /// Nil when no PES packet with a whole PTS begins at the packet's payload.
    init?(_ header: TransportPacket, _ bytes: Span<UInt8>) {
        let start = header.payload.lowerBound
        guard header.payloadUnitStart, bytes.count - start >= 14 else { return nil }
        guard bytes[start] == 0, bytes[start + 1] == 0, bytes[start + 2] == 1 else { return nil }
        guard bytes[start + 6] & 0xc0 == 0x80, bytes[start + 7] & 0x80 != 0, bytes[start + 8] >= 5 else { return nil }
        let p = start + 9
        guard bytes[p] & 0x01 == 1, bytes[p + 2] & 0x01 == 1, bytes[p + 4] & 0x01 == 1 else { return nil }
        let high = UInt64(bytes[p] >> 1 & 0x07) << 30 | UInt64(bytes[p + 1]) << 22
        timestamp = high | UInt64(bytes[p + 2] >> 1) << 15 | UInt64(bytes[p + 3]) << 7 | UInt64(bytes[p + 4]) >> 1
        dataOffset = min(start + 9 + Int(bytes[start + 8]), bytes.count)
    }

    /// True when what follows in this packet shows that decoding can begin here, for encoders that leave
    /// `random_access_indicator` unset: a parameter set, an IDR (H.264) or IRAP (H.265) picture, or an MPEG-2 sequence
    /// header. Only the first packet is looked at; encoders put these first.
    func showsRandomAccess(_ codec: ProgramMap.Codec, _ bytes: Span<UInt8>) -> Bool {
        if codec == .audio { return true }
        var index = dataOffset
        while index + 3 < bytes.count {
            guard bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 else {
                index += 1
                continue
            }
            let unit = bytes[index + 3]
            switch codec {
            case .h264: if unit & 0x1f == 5 || unit & 0x1f == 7 { return true }
            case .h265: if (16...23).contains(unit >> 1 & 0x3f) || (32...33).contains(unit >> 1 & 0x3f) { return true }
            case .mpegVideo: if unit == 0xb3 { return true }
            case .audio: return true
            }
            index += 4
        }
        return false
    }
}
