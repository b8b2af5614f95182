/// A value that belongs to a loop's thread, in a form that may be passed around: `@Sendable` work for
/// `DatagramLoop.execute` captures this and opens it there.
///
/// `@unchecked Sendable`: the value is reachable only through `value`, which stops the program on any thread but the
/// loop's; it was handed over by `sending`, or made on that thread, so no other thread holds it.
public struct LoopBound<Value>: @unchecked Sendable {
    /// For `DatagramLoop.start` only, which carries it to the loop's thread.
    let handedOver: Value
    private let loop: DatagramLoop

    /// Hands a value over to the loop's thread for good.
    public init(_ value: sending Value, loop: DatagramLoop) {
        handedOver = value
        self.loop = loop
    }

    /// Wraps what the loop's thread has already, as a handler does with itself. On the loop's thread only.
    public init(current value: Value, loop: DatagramLoop) {
        precondition(loop.isCurrent, "LoopBound: made off its loop's thread")
        handedOver = value
        self.loop = loop
    }

    /// The value. On the loop's thread only.
    public var value: Value {
        precondition(loop.isCurrent, "LoopBound: opened off its loop's thread")
        return handedOver
    }
}
