/// A datagram of ours as an ICMP message quotes it: perhaps only its first bytes.
public enum QuotedDatagram {
    /// Bytes that a quotation must have for `token`.
    public static let lengthMin = 10

    /// The link token with which a control message or a data packet begins. Nil for any other datagram, and for a
    /// quotation that is too short.
    public static func token(_ bytes: UnsafeRawBufferPointer) -> UInt64? {
        guard bytes.count >= lengthMin, bytes[1] == 0, let type = DatagramType(byte: bytes[0]) else { return nil }
        switch type {
        case .control, .data: return UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        case .hello, .cookie, .open, .opened, .refused: return nil
        }
    }
}
