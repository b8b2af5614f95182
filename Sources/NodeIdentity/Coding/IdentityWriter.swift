/// Collects the bytes of a certificate, a revocation list, a transcript or an identity.
struct IdentityWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    mutating func write(_ byte: UInt8) { bytes.append(byte) }
    mutating func write(_ more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }
    mutating func write<Kind>(_ value: FixedBytes<Kind>) { bytes.append(contentsOf: value.bytes) }

    /// Writes the last `count` bytes of an integer, big-endian. It must fit.
    mutating func write(_ value: UInt64, bytes count: Int) {
        precondition(count == 8 || value >> UInt64(8 * count) == 0, "IdentityWriter: a number that does not fit")
        for index in (0..<count).reversed() { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    /// Writes a length byte and the name.
    mutating func writeName(_ name: String) {
        precondition(name.utf8.count <= 255, "IdentityWriter: a name longer than 255 bytes")
        bytes.append(UInt8(name.utf8.count))
        bytes.append(contentsOf: name.utf8)
    }
}
