import ReflectorModel
import Synchronization

/// Demand changes on their way to the node, coalesced: only the last change of each stream counts. While the node's
/// loop is busy, no change of up to `countMax` streams is lost, because one job takes them all.
final class DemandChanges: Sendable {
    /// A new demand is dropped while this many streams wait. So many collect only while the loop is stuck for a long
    /// time.
    static let countMax = 16_384

    private struct State {
        var wanted: [StreamName: Bool] = [:]
        /// In order of the first change.
        var order: [StreamName] = []
        var isUnderWay = false
        var dropped: UInt64 = 0
    }

    private let state = Mutex(State())

    /// Records a change. True if the caller must schedule a call of `take`.
    func note(_ isWanted: Bool, for stream: StreamName) -> Bool {
        state.withLock { state in
            if state.wanted[stream] == nil {
                // If a new demand is dropped, the viewer times out and retries. An end of demand is never dropped.
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

    /// All changes since the last call, in the order in which the streams first changed.
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
