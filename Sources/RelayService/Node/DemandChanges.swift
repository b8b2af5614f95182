import ReflectorModel
import Synchronization

/// Changes of demand on their way to the node: the last for each stream counts, and none is lost when the node's loop has
/// too much to do, because one piece of work takes them all.
final class DemandChanges: Sendable {
    /// Streams waiting at once. Only a loop that has stood still for long lets so many gather.
    static let countMax = 16_384

    private struct State {
        var wanted: [StreamName: Bool] = [:]
        /// In order of the first change.
        var order: [StreamName] = []
        var isUnderWay = false
        var dropped: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Notes a change. True if somebody must see to it that `take` is called.
    func note(_ isWanted: Bool, for stream: StreamName) -> Bool {
        state.withLock { state in
            if state.wanted[stream] == nil {
                // A viewer whose wish is dropped gets a time-out, and asks again; an end of demand is always told.
                guard !isWanted || state.order.count < Self.countMax else {
                    state.dropped &+= 1
                    return false
                }
                state.order.append(stream)
            }
            state.wanted[stream] = isWanted
            defer { state.isUnderWay = true }
            return !state.isUnderWay
        }
    }

    /// Everything noted since the last call, in order.
    func take() -> [(stream: StreamName, isWanted: Bool)] {
        state.withLock { state in
            let changes = state.order.map { ($0, state.wanted[$0] ?? false) }
            state.wanted = [:]
            state.order = []
            state.isUnderWay = false
            return changes
        }
    }

    var dropped: UInt64 { state.withLock { $0.dropped } }
}
