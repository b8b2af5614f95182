/// The last 16 bytes of handshake and control messages: room on the stack for a MAC while it is compared or written.
struct MACField {
    private var high: UInt64 = 0
    private var low: UInt64 = 0

    /// Calls `compute` on 16 writable bytes. Its result is passed on.
    mutating func fill<Result>(_ compute: (UnsafeMutableRawBufferPointer) -> Result) -> Result {
        withUnsafeMutableBytes(of: &self, compute)
    }

    /// Compares in constant time with the last 16 bytes of a message at least so long.
    func isTail(of message: UnsafeRawBufferPointer) -> Bool {
        let tail = UnsafeRawBufferPointer(rebasing: message[(message.count - WireLimits.macLength)...])
        return withUnsafeBytes(of: self) { macsAreEqual($0, tail) }
    }
}
