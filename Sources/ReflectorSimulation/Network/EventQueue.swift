import HeapModule
import ReflectorModel

/// Events in virtual time, earliest first. Events of the same instant keep the order in which they were scheduled.
struct EventQueue<Event> {
    /// The heap moves only these; the events stay in their slots.
    private struct Entry: Comparable {
        var at: MonotonicInstant
        var order: UInt64
        var slot: Int32
        static func < (a: Entry, b: Entry) -> Bool { (a.at, a.order) < (b.at, b.order) }
        static func == (a: Entry, b: Entry) -> Bool { (a.at, a.order) == (b.at, b.order) }
    }

    private var heap = Heap<Entry>()
    private var events: [Event?] = []
    private var free: [Int32] = []
    private var order: UInt64 = 0
    /// When the first event is due.
    private(set) var next = MonotonicInstant.distantFuture

    var count: Int { heap.count }

    mutating func schedule(_ event: Event, at: MonotonicInstant) {
        order &+= 1
        let slot: Int32
        if let last = free.popLast() {
            slot = last
            events[Int(slot)] = event
        } else {
            slot = Int32(events.count)
            events.append(event)
        }
        heap.insert(Entry(at: at, order: order, slot: slot))
        next = min(next, at)
    }

    mutating func pop() -> Event? {
        guard let slot = heap.popMin()?.slot else { return nil }
        next = heap.min?.at ?? .distantFuture
        free.append(slot)
        defer { events[Int(slot)] = nil }
        return events[Int(slot)]
    }
}
