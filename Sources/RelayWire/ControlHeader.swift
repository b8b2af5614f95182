/// The start of every control message: the receiver's token of the link, and the number of the message on that link.
public struct ControlHeader: Hashable, Sendable {
    /// The link token of the receiver.
    public var token: UInt64
    /// From 1, strictly increasing; `ReplayWindow` checks it after the MAC was verified.
    public var counter: UInt64

    /// Reads the header of a whole control datagram. Nothing is authenticated yet.
    /// Throws `empty`, `tooShort`, `tooLong`, `unknownType`, or `unknownValue` for a second byte that is not zero.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(WireError) {
        guard case .control = try DatagramType.of(bytes) else { throw .unknownType }
        guard bytes.count >= ControlCodec.lengthMin else { throw .tooShort }
        guard bytes.count <= WireLimits.controlLengthMax else { throw .tooLong }
        guard bytes[1] == 0 else { throw .unknownValue }
        token = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        counter = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 10, as: UInt64.self))
    }
}
