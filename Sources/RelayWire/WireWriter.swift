import NodeIdentity
import ReflectorModel

/// A cursor into the buffer of an outgoing message. It traps if the buffer is too small: that can only be our own bug.
struct WireWriter {
    private let buffer: UnsafeMutableRawBufferPointer
    /// Bytes written.
    private(set) var length = 0

    init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

    /// Writes an integer, big-endian.
    mutating func write<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer) {
        let size = MemoryLayout<Integer>.size
        precondition(buffer.count - length >= size, "WireWriter: buffer too small")
        buffer.storeBytes(of: value.bigEndian, toByteOffset: length, as: Integer.self)
        length += size
    }

    /// Writes a sequence number, limited to the highest one allowed: a number computed from received ones may be higher
    /// (`next`), and a peer would refuse a message that contains it.
    mutating func writeSequence(_ sequence: SequenceNumber) { write(min(sequence.rawValue, WireLimits.sequenceMax)) }

    mutating func writeZeros(count: Int) {
        precondition(buffer.count - length >= count, "WireWriter: buffer too small")
        UnsafeMutableRawBufferPointer(rebasing: buffer[length..<length + count])
            .initializeMemory(as: UInt8.self, repeating: 0)
        length += count
    }

    /// Writes a count of at most `max` as one byte.
    mutating func writeCount(_ count: Int, max: Int) {
        precondition(count <= max, "WireWriter: more entries than one message may have")
        write(UInt8(count))
    }

    /// Writes a length byte and the name.
    mutating func writeName(_ name: String) {
        writeCount(name.utf8.count, max: WireLimits.nameMax)
        for byte in name.utf8 { write(byte) }
    }

    mutating func write(bytes: [UInt8]) {
        for byte in bytes { write(byte) }
    }

    mutating func write<Kind>(_ value: FixedBytes<Kind>) { write(bytes: value.bytes) }

    /// Exactly `count` bytes, all of which `body` writes.
    static func bytes(count: Int, _ body: (inout WireWriter) -> Void) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            var writer = WireWriter(UnsafeMutableRawBufferPointer(buffer))
            body(&writer)
            precondition(writer.length == count, "WireWriter: fewer bytes than announced")
            initialized = count
        }
    }

    /// Leaves room for the MAC, which covers all bytes before it, and returns the total length of the message.
    mutating func finishBeforeMAC(lengthMax: Int) -> Int {
        writeZeros(count: WireLimits.macLength)
        precondition(length <= lengthMax, "WireWriter: message longer than its kind may be")
        return length
    }
}
