/// Stands for one stream of one node, until the stream ends there.
public struct StreamHandle: Sendable, Equatable {
    let slot: Int
    /// The node gives no other stream this number, even later.
    let number: UInt64
}
