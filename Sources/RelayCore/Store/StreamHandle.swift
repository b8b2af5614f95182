/// Stands for one stream of one node, until the stream ends there.
public struct StreamHandle: Sendable, Equatable {
    let slot: Int
    /// No other stream of the node ever has it.
    let number: UInt64
}
