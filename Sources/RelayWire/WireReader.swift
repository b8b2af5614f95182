import NodeIdentity
import ReflectorModel

/// A cursor over a received message: every read checks the remaining length, so that no input causes a read out of
/// bounds.
struct WireReader {
    private let bytes: UnsafeRawBufferPointer
    private var offset: Int

    /// - Parameter offset: number of bytes already read; must not exceed the number of bytes.
    init(_ bytes: UnsafeRawBufferPointer, from offset: Int) {
        precondition(offset <= bytes.count, "WireReader: starts past the end")
        self.bytes = bytes
        self.offset = offset
    }

    /// The next integer, big-endian. Throws `tooShort`.
    mutating func read<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ type: Integer.Type = Integer.self
    ) throws(WireError) -> Integer {
        let size = MemoryLayout<Integer>.size
        guard bytes.count - offset >= size else { throw .tooShort }
        defer { offset += size }
        return Integer(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self))
    }

    /// The next byte as one of an enumeration's values. Throws `tooShort` or `unknownValue`.
    mutating func read<Value: RawRepresentable>(
        enumeration type: Value.Type = Value.self
    ) throws(WireError) -> Value where Value.RawValue == UInt8 {
        guard let value = Value(rawValue: try read(UInt8.self)) else { throw .unknownValue }
        return value
    }

    /// A sequence number, or 0 for none. Throws `tooShort`, or `outOfRange` beyond `WireLimits.sequenceMax`.
    mutating func readSequence() throws(WireError) -> SequenceNumber {
        let value = try read(UInt64.self)
        guard value <= WireLimits.sequenceMax else { throw .outOfRange }
        return SequenceNumber(value)
    }

    /// A flag byte of which only bit 0 has a meaning. Throws `tooShort` or `unknownValue`.
    mutating func readFlag() throws(WireError) -> Bool {
        let flags = try read(UInt8.self)
        guard flags <= 1 else { throw .unknownValue }
        return flags == 1
    }

    /// Bytes that a sender of this version leaves zero. Throws `tooShort` or `unknownValue`.
    mutating func readZeros(count: Int) throws(WireError) {
        for _ in 0..<count {
            guard try read(UInt8.self) == 0 else { throw .unknownValue }
        }
    }

    /// A length byte and that many bytes of printable ASCII without spaces: names appear in logs and tables, so nothing
    /// else is accepted. Throws `tooShort` or `badName`.
    mutating func readName() throws(WireError) -> String {
        let length = Int(try read(UInt8.self))
        guard bytes.count - offset >= length else { throw .tooShort }
        let name = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
        for byte in name {
            guard (0x21...0x7e).contains(byte) else { throw .badName }
        }
        offset += length
        return String(decoding: name, as: UTF8.self)
    }

    /// The next bytes. Throws `tooShort`.
    mutating func readBytes(count: Int) throws(WireError) -> [UInt8] {
        guard bytes.count - offset >= count else { throw .tooShort }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// The next byte string of a fixed length. Throws `tooShort`.
    mutating func readFixed<Kind>() throws(WireError) -> FixedBytes<Kind> {
        guard let value = FixedBytes<Kind>(try readBytes(count: Kind.length)) else { throw .tooShort }
        return value
    }

    /// Reads a value from a whole array. Throws what `body` throws, and `trailingBytes`.
    static func read<Value>(
        _ bytes: [UInt8], _ body: (inout WireReader) throws(WireError) -> Value
    ) throws(WireError) -> Value {
        let result: Result<Value, WireError> = bytes.withUnsafeBytes { buffer in
            var reader = WireReader(buffer, from: 0)
            do throws(WireError) {
                let value = try body(&reader)
                try reader.finish()
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Ends the reading. Throws `trailingBytes` if the message has not been read to its end.
    func finish() throws(WireError) {
        guard offset == bytes.count else { throw .trailingBytes }
    }
}
