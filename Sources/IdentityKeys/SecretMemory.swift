import CCrypto

/// Secret bytes in memory of their own, which is wiped when its owner ends. It cannot be copied, so there is exactly one
/// place to wipe, and it has no description, so that it cannot get into a log.
public struct SecretMemory: ~Copyable {
    private let memory: UnsafeMutableRawBufferPointer

    /// Memory of zeros.
    init(count: Int) {
        memory = .allocate(byteCount: count, alignment: 8)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// A copy of these bytes; the caller wipes them.
    public static func copy(of bytes: [UInt8]) -> SecretMemory {
        var memory = SecretMemory(count: bytes.count)
        memory.withMutableBytes { $0.copyBytes(from: bytes) }
        return memory
    }

    deinit {
        OPENSSL_cleanse(memory.baseAddress, memory.count)
        memory.deallocate()
    }

    var count: Int { memory.count }

    public borrowing func withBytes<Value>(_ body: (UnsafeRawBufferPointer) -> Value) -> Value {
        body(UnsafeRawBufferPointer(memory))
    }

    mutating func withMutableBytes<Value>(_ body: (UnsafeMutableRawBufferPointer) -> Value) -> Value { body(memory) }
}
