/// The kind of a datagram, determined by its first byte alone. By it, a receiver separates data packets from the rest.
public enum DatagramType: Hashable, Sendable {
    case hello
    case cookie
    case open
    case opened
    case refused
    case control
    case data(retransmitted: Bool)

    /// Reads the first byte. Throws `empty` or `unknownType`.
    @inlinable
    public static func of(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> DatagramType {
        guard bytes.count > 0 else { throw .empty }
        guard let type = DatagramType(byte: bytes[0]) else { throw .unknownType }
        return type
    }

    /// Nil for a reserved type.
    @inlinable
    init?(byte: UInt8) {
        switch byte {
        case 0x10: self = .hello
        case 0x11: self = .cookie
        case 0x12: self = .open
        case 0x13: self = .opened
        case 0x14: self = .refused
        case 0x20: self = .control
        case 0x30: self = .data(retransmitted: false)
        case 0x31: self = .data(retransmitted: true)
        default: return nil
        }
    }

    /// The first byte of such a datagram.
    @inlinable
    var byte: UInt8 {
        switch self {
        case .hello: 0x10
        case .cookie: 0x11
        case .open: 0x12
        case .opened: 0x13
        case .refused: 0x14
        case .control: 0x20
        case .data(let retransmitted): retransmitted ? 0x31 : 0x30
        }
    }
}
