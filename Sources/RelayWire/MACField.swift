/// The last 16 bytes of handshake and control messages: a stack buffer for a MAC while it is compared or written.
struct MACField {
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    /// Calls `compute` on 16 writable bytes, and returns its result.
    mutating func fill<Result>(_ compute: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        withUnsafeMutableBytes(of: &self, compute)
    }

    /// Compares in constant time with the last 16 bytes of a message, which must be at least that long.
    func isTail(of message: UnsafeRawBufferPointer) -> Bool {
        let tail = UnsafeRawBufferPointer(rebasing: message[(message.count - WireLimits.macLength)...])
        return withUnsafeBytes(of: self) { macsAreEqual($0, tail) }
    }
}
