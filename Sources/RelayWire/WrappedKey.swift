import ReflectorModel

/// A stream's sealing key on its way to a child, encrypted under the key that only the two ends of the link have
/// (WireFormat.md, "Stream keys").
public struct WrappedKey: Sendable, Equatable {
    /// Bytes of the encrypted key and its tag.
    public static let length = 32

    /// Never used twice on a link.
    public var nonce: UInt64
    /// The encrypted key, then the tag: `length` bytes as four words.
    var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    public init(nonce: UInt64) { self.nonce = nonce }

    public static func == (a: WrappedKey, b: WrappedKey) -> Bool { a.nonce == b.nonce && a.words == b.words }

    public mutating func withMutableBytes<Value>(_ body: (UnsafeMutableRawBufferPointer) -> Value) -> Value {
        withUnsafeMutableBytes(of: &words, body)
    }

    public func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        withUnsafeBytes(of: words, body)
    }
}

extension WireWriter {
    mutating func write(_ key: WrappedKey) {
        write(key.nonce)
        key.withBytes { bytes in
            for byte in bytes { write(byte) }
        }
    }
}

extension WireReader {
    mutating func readWrappedKey() throws(WireError) -> WrappedKey {
        var key = WrappedKey(nonce: try read())
        let bytes = try readBytes(count: WrappedKey.length)
        key.withMutableBytes { $0.copyBytes(from: bytes) }
        return key
    }
}
