import HeapModule
import ReflectorModel

/// Events in virtual time, earliest first. Events of the same instant keep the order in which they were scheduled.
struct EventQueue<Event> {
    private struct Entry: Comparable {
        var at: MonotonicInstant
        var order: UInt64
        var event: Event
        static func < (a: Entry, b: Entry) -> Bool { (a.at, a.order) < (b.at, b.order) }
        static func == (a: Entry, b: Entry) -> Bool { (a.at, a.order) == (b.at, b.order) }
    }

    private var heap = Heap<Entry>()
    private var order: UInt64 = 0

    var next: MonotonicInstant { heap.min?.at ?? .distantFuture }
    var count: Int { heap.count }

    mutating func schedule(_ event: Event, at: MonotonicInstant) {
        order &+= 1
        heap.insert(Entry(at: at, order: order, event: event))
    }

    mutating func pop() -> Event? { heap.popMin()?.event }
}
