/// A value that belongs to a loop's thread, in a form that may be passed around: `@Sendable` work for
/// `DatagramLoop.execute` captures this and opens it there.
///
/// `@unchecked Sendable`: the value is reachable only through `value`, which stops the program on any thread but the
/// loop's; it was handed over by `sending`, so nobody else holds it.
public struct LoopBound<Value>: @unchecked Sendable {
    private let bound: Value
    private let loop: DatagramLoop

    public init(_ value: sending Value, loop: DatagramLoop) {
        bound = value
        self.loop = loop
    }

    /// The value. On the loop's thread only.
    public var value: Value {
        precondition(loop.isCurrent, "LoopBound: opened off its loop's thread")
        return bound
    }
}
