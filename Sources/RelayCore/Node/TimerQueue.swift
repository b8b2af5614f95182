import HeapModule
import ReflectorModel

/// The owner of a timer: a link or a stream in the node's tables, or the node itself.
enum TimerOwner: Equatable {
    case parentLink(Int)
    case childLink(Int)
    case stream(Int)
    case node
    /// Requests of children that wait for their turn (`RequestQueue`).
    case requests
    /// Opens of children that wait for their turn (`OpenQueue`).
    case opens
    /// The election of entrypoints.
    case election
    /// The region.
    case region
}

/// When the owner of a timer wakes. `TimerQueue` sets it.
struct Wakeup {
    fileprivate(set) var at: MonotonicInstant = .distantFuture

    /// Clears the wake-up, because the owner wakes now. False, without any change, if the queue's entry is stale.
    mutating func take(_ at: MonotonicInstant) -> Bool {
        guard self.at == at else { return false }
        self.at = .distantFuture
        return true
    }
}

/// Wake-ups of everything in a node. An owner has at most one valid wake-up, its `Wakeup`. Heap entries that do not
/// match it are stale and skipped.
struct TimerQueue {
    private struct Entry: Comparable {
        var at: MonotonicInstant
        /// Tie-break: order of scheduling, so that equal instants run in the same order in every process.
        var order: UInt64
        var owner: TimerOwner
        static func < (a: Entry, b: Entry) -> Bool { (a.at, a.order) < (b.at, b.order) }
        static func == (a: Entry, b: Entry) -> Bool { (a.at, a.order) == (b.at, b.order) }
    }

    private var heap = Heap<Entry>()
    private var order: UInt64 = 0

    /// Entries, stale ones included.
    var count: Int { heap.count }
    /// The earliest entry, which may be stale.
    var first: (owner: TimerOwner, at: MonotonicInstant)? { heap.min.map { ($0.owner, $0.at) } }

    /// Makes `owner` wake at `at` unless it already wakes sooner. `wakeup` must be the one that belongs to `owner`.
    mutating func schedule(_ owner: TimerOwner, at: MonotonicInstant, _ wakeup: inout Wakeup) {
        guard at < wakeup.at else { return }
        wakeup.at = at
        order &+= 1
        heap.insert(Entry(at: at, order: order, owner: owner))
    }

    mutating func removeFirst() { heap.removeMin() }

    /// Removes and returns the next entry that is due.
    mutating func popDue(at now: MonotonicInstant) -> (owner: TimerOwner, at: MonotonicInstant)? {
        guard let first = heap.min, first.at <= now else { return nil }
        heap.removeMin()
        return (first.owner, first.at)
    }
}
