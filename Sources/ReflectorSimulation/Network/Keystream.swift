import ReflectorModel

/// The simulator's stream cipher.
enum Keystream {
    /// XORs with a keystream; the same call decrypts.
    static func apply(
        _ secret: UInt64, _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) {
        var stream = SeededGenerator(seed: secret)
        var offset = 0
        while offset + 8 <= source.count {
            let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ stream.next()
            target.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        var rest = stream.next()
        while offset < source.count {
            target[offset] = source[offset] ^ UInt8(truncatingIfNeeded: rest)
            rest >>= 8
            offset += 1
        }
    }
}
