import ReflectorModel
import Synchronization

/// A fixed set of counters, written by one part of a node, readable from any thread.
public final class CounterSet<Name: RawRepresentable<String> & CaseIterable & Hashable & Sendable>: Sendable {
    private let values = Mutex<[Name: UInt64]>([:])

    public init() {}

    public func add(_ amount: Int = 1, to counter: Name) {
        values.withLock { $0[counter, default: 0] &+= UInt64(max(amount, 0)) }
    }

    /// For a value that is not a count.
    public func set(_ value: UInt64, of counter: Name) { values.withLock { $0[counter] = value } }

    public func value(_ counter: Name) -> UInt64 { values.withLock { $0[counter] ?? 0 } }

    /// All counters by name, including those at zero.
    public var snapshot: [String: UInt64] { values.withLock { $0.byName } }
}
