import DequeModule
import ReflectorModel
import RelayWire

/// Every stream of a node, by slot, by name and by incarnation; and which of them may be evicted when the table is
/// full.
struct StreamTable: ~Copyable {
    /// A stream that carried no data when it was created. Its slot may hold another stream now.
    private struct Unproven {
        var slot: Int
        var number: UInt64
    }

    /// A report that a stream was unavailable.
    struct Unavailable {
        var name: StreamName
        var reason: UnavailableReason
        var at: MonotonicInstant
    }

    /// Edge: the streams reported as unavailable, the oldest report first; at most `unavailableMax`.
    private(set) var unavailable: [Unavailable] = []
    /// True once any stream has had a payload limit; it never becomes false again.
    private(set) var hasLimits = false
    private var table = SlotTable<StreamState>()
    private var slotByName: [StreamName: Int] = [:]
    private var slotByTag: [IncarnationTag: Int] = [:]
    /// Oldest first: candidates for eviction from a full table.
    private var unproven = Deque<Unproven>()
    private var made: UInt64 = 0
    /// Slot of the last packet's stream: the next packet often belongs to the same one and needs no look-up.
    private var lastSlot = 0

    private static let unavailableMax = 16

    subscript(_ slot: Int) -> StreamState? { table[slot] }
    subscript(_ name: StreamName) -> StreamState? { slotByName[name].flatMap { table[$0] } }
    var all: [StreamState] { table.all }
    var count: Int { table.count }
    func page(_ page: StreamPage) -> (elements: [StreamState], next: Int?) {
        if let names = page.names { return (names.compactMap { self[$0] }, nil) }
        return table.page(from: page.from, count: page.count)
    }

    /// The stream whose packets carry this tag.
    @inline(__always) mutating func stream(tag: IncarnationTag) -> StreamState? {
        if let stream = table[lastSlot], stream.incarnation?.tag == tag { return stream }
        guard let slot = slotByTag[tag] else { return nil }
        lastSlot = slot
        return table[slot]
    }

    /// Packets with this tag belong to the stream from now on.
    mutating func bind(_ tag: IncarnationTag, to stream: StreamState) { slotByTag[tag] = stream.slot }
    mutating func unbind(_ tag: IncarnationTag) { slotByTag[tag] = nil }

    /// - Parameter countMax: maximum number of streams in the table.
    mutating func insert(_ name: StreamName, countMax: Int) -> StreamState {
        made &+= 1
        let number = made
        let stream = table.insert { StreamState(slot: $0, name: name, number: number) }
        slotByName[name] = stream.slot
        // When the list gets long, the streams that carry data by now or are gone are removed from it.
        if unproven.count >= 2 * countMax { pruneUnproven() }
        unproven.append(Unproven(slot: stream.slot, number: stream.number))
        return stream
    }

    mutating func remove(_ stream: StreamState) {
        slotByName[stream.name] = nil
        table.remove(stream.slot)
    }

    /// The oldest stream that carries no data; the caller must then remove it from the table. Nil if there is none.
    mutating func takeUnproven() -> StreamState? {
        while let first = unproven.popFirst() {
            if let stream = stream(of: first) { return stream }
        }
        return nil
    }

    private mutating func pruneUnproven() {
        var left = Deque<Unproven>()
        for one in unproven where stream(of: one) != nil { left.append(one) }
        unproven = left
    }

    private func stream(of one: Unproven) -> StreamState? {
        guard let stream = table[one.slot], stream.number == one.number, stream.incarnation == nil,
            stream.origin == nil
        else { return nil }
        return stream
    }

    mutating func noteUnavailable(
        _ name: StreamName, _ reason: UnavailableReason, at now: MonotonicInstant
    ) {
        unavailable.removeAll { $0.name == name }
        if unavailable.count >= Self.unavailableMax { unavailable.removeFirst() }
        unavailable.append(Unavailable(name: name, reason: reason, at: now))
    }

    mutating func noteLimit() { hasLimits = true }
}
