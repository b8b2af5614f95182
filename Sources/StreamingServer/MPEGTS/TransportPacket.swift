/// The header of one 188-byte MPEG-2 transport stream packet (ISO/IEC 13818-1 §2.4.3.2), with the range of its payload.
/// A plain value without references to the bytes it was read from.
struct TransportPacket: Equatable {
    /// Bytes of every packet.
    static let length = 188
    static let syncByte: UInt8 = 0x47
    /// The bits of a time stamp.
    static let timestampMask: UInt64 = 1 << 33 - 1

    /// Packet identifier, 13 bits.
    var pid: UInt16
    /// A PES packet or a section begins in this packet.
    var payloadUnitStart: Bool
    /// `random_access_indicator`: decoding can begin here.
    var randomAccess: Bool
    /// `program_clock_reference_base`, 33 bits of 90 kHz, if the packet carries one.
    var programClock: UInt64?
    /// `continuity_counter`, 4 bits.
    var continuity: UInt8
    /// The payload is encrypted: it cannot be read here.
    var isScrambled: Bool
    /// Range of the payload in the packet; empty if there is none.
    var payload: Range<Int>

    /// Nil unless `bytes` are one whole, undamaged packet: sync byte, no transport error, and an adaptation field that
    /// fits.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Self.length, bytes[0] == Self.syncByte, bytes[1] & 0x80 == 0 else { return nil }
        pid = UInt16(bytes[1] & 0x1f) << 8 | UInt16(bytes[2])
        payloadUnitStart = bytes[1] & 0x40 != 0
        continuity = bytes[3] & 0x0f
        isScrambled = bytes[3] & 0xc0 != 0
        randomAccess = false
        programClock = nil
        var start = 4
        if bytes[3] & 0x20 != 0 {
            let length = Int(bytes[4])
            guard length <= Self.length - 5 else { return nil }
            start = 5 + length
            if length > 0 { randomAccess = bytes[5] & 0x40 != 0 }
            if length >= 7, bytes[5] & 0x10 != 0 {
                let high = UInt64(bytes[6]) << 25 | UInt64(bytes[7]) << 17 | UInt64(bytes[8]) << 9
                programClock = high | UInt64(bytes[9]) << 1 | UInt64(bytes[10]) >> 7
            }
        }
        payload = bytes[3] & 0x10 != 0 ? start..<Self.length : Self.length..<Self.length
    }
}
