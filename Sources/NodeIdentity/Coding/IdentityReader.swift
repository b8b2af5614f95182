import ReflectorModel

/// A cursor over the bytes of a certificate, a revocation list or an identity: every read checks the remaining length.
struct IdentityReader {
    private let bytes: ArraySlice<UInt8>
    private var offset: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        offset = bytes.startIndex
    }

    /// The bytes that were read so far.
    var consumed: ArraySlice<UInt8> { bytes[bytes.startIndex..<offset] }
    var isAtEnd: Bool { offset == bytes.endIndex }

    mutating func byte() throws(IdentityFormatError) -> UInt8 {
        guard let value = try take(1).first else { throw .tooShort }
        return value
    }

    /// An unsigned big-endian integer of `count` bytes, at most 8.
    mutating func integer(bytes count: Int) throws(IdentityFormatError) -> UInt64 {
        precondition((1...8).contains(count), "IdentityReader: an integer of more than 8 bytes")
        return try take(count).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A time in seconds since 1970. Five bytes hold exactly the times below 2⁴⁰.
    mutating func seconds() throws(IdentityFormatError) -> UInt64 {
        try integer(bytes: CertificateLimits.timeLength)
    }

    mutating func fixed<Kind>(_ kind: FixedBytes<Kind>.Type = FixedBytes<Kind>.self) throws(IdentityFormatError)
        -> FixedBytes<Kind>
    {
        guard let value = FixedBytes<Kind>(try take(Kind.length)) else { throw .tooShort }
        return value
    }

    /// A length byte, and a name of that many bytes that `ReflectorName.isHost` accepts.
    mutating func host(orThrow problem: IdentityFormatError) throws(IdentityFormatError) -> String {
        let length = Int(try byte())
        let name = String(decoding: try take(length), as: UTF8.self)
        guard ReflectorName.isHost(name) else { throw problem }
        return name
    }

    mutating func take(_ count: Int) throws(IdentityFormatError) -> ArraySlice<UInt8> {
        guard bytes.endIndex - offset >= count else { throw .tooShort }
        defer { offset += count }
        return bytes[offset..<offset + count]
    }

    /// Ends the reading. Throws `trailingBytes` if bytes are left.
    func finish() throws(IdentityFormatError) {
        guard isAtEnd else { throw .trailingBytes }
    }
}
