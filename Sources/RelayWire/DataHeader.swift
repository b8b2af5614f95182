import ReflectorModel

/// The headers of a data packet (WireFormat.md, "Data"): the link header, private to one child, and the stream packet
/// header behind it, which is the same for all children. The packet path reads and writes these and nothing else.
public struct DataHeader: Hashable, Sendable {
    public var retransmitted: Bool
    /// The link token of the receiver.
    public var token: UInt64
    /// Counts every data packet of the link, modulo 2³².
    public var linkNumber: UInt32
    public var tag: IncarnationTag
    public var sequence: SequenceNumber
    public var kind: PacketKind
    /// A filler uses up a sequence number, carries no payload and is never delivered.
    @inlinable public var isFiller: Bool { kind == .filler }

    @inlinable
    public init(
        retransmitted: Bool, token: UInt64, linkNumber: UInt32, tag: IncarnationTag, sequence: SequenceNumber,
        kind: PacketKind
    ) {
        self.retransmitted = retransmitted
        self.token = token
        self.linkNumber = linkNumber
        self.tag = tag
        self.sequence = sequence
        self.kind = kind
    }

    /// Reads the headers of a whole datagram. Nothing is authenticated yet.
    ///
    /// Throws `empty`, `tooShort` or `tooLong`, `unknownType` if it is not a data packet, `unknownKind`, `unknownValue`
    /// for a second byte that is not zero or for sequence number 0, `outOfRange` for one beyond
    /// `WireLimits.sequenceMax`, `badLength` for a filler with a payload.
    @inlinable
    public init(parsing bytes: UnsafeRawBufferPointer) throws(WireError) {
        guard case .data(let retransmitted) = try DatagramType.of(bytes) else { throw .unknownType }
        guard bytes.count >= WireLimits.dataOverhead else { throw .tooShort }
        guard bytes.count <= WireLimits.dataOverhead + WireLimits.payloadMax else { throw .tooLong }
        self.retransmitted = retransmitted
        guard bytes[1] == 0 else { throw .unknownValue }
        token = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        linkNumber = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 10, as: UInt32.self))
        tag = IncarnationTag(UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 14, as: UInt64.self)))
        sequence = SequenceNumber(UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 22, as: UInt64.self)))
        guard let kind = PacketKind(rawValue: bytes[30]) else { throw .unknownKind }
        self.kind = kind
        guard sequence != .none else { throw .unknownValue }
        guard sequence.rawValue <= WireLimits.sequenceMax else { throw .outOfRange }
        guard !isFiller || bytes.count == WireLimits.dataOverhead else { throw .badLength }
    }

    /// Writes the first `WireLimits.linkHeaderLength` bytes of a datagram. The buffer must have that many.
    @inlinable
    public static func writeLinkHeader(
        into buffer: UnsafeMutableRawBufferPointer, retransmitted: Bool, token: UInt64, linkNumber: UInt32
    ) {
        precondition(buffer.count >= WireLimits.linkHeaderLength, "DataHeader: no room for a link header")
        buffer[0] = DatagramType.data(retransmitted: retransmitted).byte
        buffer[1] = 0
        buffer.storeBytes(of: token.bigEndian, toByteOffset: 2, as: UInt64.self)
        buffer.storeBytes(of: linkNumber.bigEndian, toByteOffset: 10, as: UInt32.self)
    }

    /// Writes the `WireLimits.streamHeaderLength` bytes in front of a ciphertext. The buffer must have that many.
    @inlinable
    public static func writeStreamHeader(
        into buffer: UnsafeMutableRawBufferPointer, tag: IncarnationTag, sequence: SequenceNumber, kind: PacketKind
    ) {
        precondition(buffer.count >= WireLimits.streamHeaderLength, "DataHeader: no room for a stream header")
        buffer.storeBytes(of: tag.rawValue.bigEndian, toByteOffset: 0, as: UInt64.self)
        buffer.storeBytes(of: sequence.rawValue.bigEndian, toByteOffset: 8, as: UInt64.self)
        buffer[16] = kind.rawValue
    }
}
