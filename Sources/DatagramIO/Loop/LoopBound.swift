/// A value that belongs to a loop's thread, wrapped so that it can be passed between threads: `@Sendable` work for
/// `DatagramLoop.execute` captures the wrapper and opens it on the loop's thread.
///
/// `@unchecked Sendable`: the value is reachable only through `value`, which stops the program on any thread but the
/// loop's; it was passed as `sending`, or created on that thread, so no other thread holds it.
public struct LoopBound<Value>: @unchecked Sendable {
    /// Only for `DatagramLoop.start`, which passes it to the loop's thread.
    let handedOver: Value
    private let loop: DatagramLoop

    /// Transfers a value to the loop's thread permanently.
    public init(_ value: sending Value, loop: DatagramLoop) {
        handedOver = value
        self.loop = loop
    }

    /// Wraps a value that the loop's thread already owns, such as the handler itself. Call this only on that thread.
    public init(current value: Value, loop: DatagramLoop) {
        precondition(loop.isCurrent, "LoopBound: made off its loop's thread")
        handedOver = value
        self.loop = loop
    }

    /// The value; use this only on the loop's thread.
    public var value: Value {
        precondition(loop.isCurrent, "LoopBound: opened off its loop's thread")
        return handedOver
    }
}
