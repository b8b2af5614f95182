import ReflectorModel

/// The connections of one HTTP port as a state machine without channels or a clock: it decides which connections are
/// admitted, and which ones are evicted to make room. Every step takes constant time, whatever the size of the table.
///
/// ```
/// admit ─▶ fresh ─▶ busy ⇄ idle ─▶ remove
/// ```
/// Fresh connections have not sent a complete request head yet. The order of eviction is: fresh connections that are at
/// least a second old; connections that are idle between requests; younger fresh connections. In each of these groups
/// the longest waiting connection is evicted first.
struct ConnectionTable {
    /// A connection; invalid after its removal.
    struct ID: Hashable {
        fileprivate var slot: Int
        fileprivate var generation: UInt32
    }

    enum Phase: Int { case fresh, idle, busy }

    /// The decision about a new connection.
    enum Admission: Equatable {
        /// Admitted; the caller must close `evicted`.
        case admitted(ID, evicted: ID?, ConnectionEvent?)
        case refused(ConnectionEvent)
    }

    /// After this time without a request, a fresh connection is evicted before the idle ones.
    static let graceNanoseconds: Int64 = 1_000_000_000

    private struct Links {
        var previous = -1
        var next = -1
    }

    private struct List {
        var head = -1
        var tail = -1
    }

    private struct Entry {
        var generation: UInt32 = 0
        var isUsed = false
        var address = IPAddress(high: 0, low: 0)
        var phase = Phase.fresh
        var since: Int64 = 0
        /// Links in the list of its phase.
        var byPhase = Links()
        /// Links in the list of its address, which holds only fresh and idle connections.
        var byAddress = Links()
    }

    private struct Address {
        var count = 0
        var quiet = List()
    }

    private let connectionsMax: Int
    private let perAddressMax: Int
    private let closesBusy: Bool
    private var entries: [Entry] = []
    private var free: [Int] = []
    private var phases = [List](repeating: List(), count: 3)
    private var addresses: [IPAddress: Address] = [:]
    private(set) var count = 0

    init(connectionsMax: Int, perAddressMax: Int, closesBusy: Bool) {
        self.connectionsMax = max(connectionsMax, 1)
        self.perAddressMax = max(perAddressMax, 1)
        self.closesBusy = closesBusy
    }

    /// Number of addresses that have connections.
    var addressCount: Int { addresses.count }

    /// Decides whether to admit a new connection. A connection that is evicted for it has already left the table.
    mutating func admit(_ address: IPAddress, at now: Int64) -> Admission {
        let address = Self.block(of: address)
        var evicted: ID?
        var event: ConnectionEvent?
        if let known = addresses[address], known.count >= perAddressMax {
            guard known.quiet.head >= 0 else { return .refused(.refusedOfAddress) }
            (evicted, event) = (id(of: known.quiet.head), .evictedOfAddress)
        } else if count >= connectionsMax {
            guard let (slot, why) = victim(at: now) else { return .refused(.refusedFull) }
            (evicted, event) = (id(of: slot), why)
        }
        if let evicted { remove(evicted) }
        return .admitted(insert(address, at: now), evicted: evicted, event)
    }

    /// Notes that a complete request head has arrived.
    mutating func busy(_ id: ID, at now: Int64) { move(id, to: .busy, at: now) }

    /// Notes that all answers have been sent.
    mutating func idle(_ id: ID, at now: Int64) { move(id, to: .idle, at: now) }

    /// Removes a connection that has ended or is evicted. A second call does nothing.
    mutating func remove(_ id: ID) {
        guard isCurrent(id) else { return }
        unlink(id.slot)
        let address = entries[id.slot].address
        addresses[address]?.count -= 1
        if addresses[address]?.count == 0 { addresses[address] = nil }
        entries[id.slot].isUsed = false
        entries[id.slot].generation &+= 1
        free.append(id.slot)
        count -= 1
    }

    /// An IPv6 host owns a whole /64, so a /64 counts as one address.
    static func block(of address: IPAddress) -> IPAddress {
        address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }

    // MARK: Eviction

    private func victim(at now: Int64) -> (slot: Int, ConnectionEvent)? {
        let fresh = phases[Phase.fresh.rawValue].head
        let idle = phases[Phase.idle.rawValue].head
        let busy = phases[Phase.busy.rawValue].head
        if fresh >= 0, now &- entries[fresh].since >= Self.graceNanoseconds || idle < 0 { return (fresh, .evictedIdle) }
        if idle >= 0 { return (idle, .evictedIdle) }
        return closesBusy && busy >= 0 ? (busy, .evictedBusy) : nil
    }

    // MARK: Lists

    private func id(of slot: Int) -> ID { ID(slot: slot, generation: entries[slot].generation) }

    private func isCurrent(_ id: ID) -> Bool {
        entries.indices.contains(id.slot) && entries[id.slot].isUsed && entries[id.slot].generation == id.generation
    }

    private mutating func insert(_ address: IPAddress, at now: Int64) -> ID {
        let slot = free.popLast() ?? entries.count
        if slot == entries.count { entries.append(Entry()) }
        entries[slot].isUsed = true
        entries[slot].address = address
        entries[slot].phase = .fresh
        entries[slot].since = now
        addresses[address, default: Address()].count += 1
        count += 1
        link(slot)
        return id(of: slot)
    }

    private mutating func move(_ id: ID, to phase: Phase, at now: Int64) {
        guard isCurrent(id) else { return }
        unlink(id.slot)
        entries[id.slot].phase = phase
        entries[id.slot].since = now
        link(id.slot)
    }

    /// Appends the slot to the lists it belongs to.
    private mutating func link(_ slot: Int) {
        let phase = entries[slot].phase.rawValue
        Self.append(slot, to: &phases[phase], &entries, \.byPhase)
        if entries[slot].phase != .busy {
            Self.append(slot, to: &addresses[entries[slot].address, default: Address()].quiet, &entries, \.byAddress)
        }
    }

    private mutating func unlink(_ slot: Int) {
        let phase = entries[slot].phase.rawValue
        Self.take(slot, from: &phases[phase], &entries, \.byPhase)
        if entries[slot].phase != .busy {
            Self.take(slot, from: &addresses[entries[slot].address, default: Address()].quiet, &entries, \.byAddress)
        }
    }

    private static func append(
        _ slot: Int, to list: inout List, _ entries: inout [Entry], _ links: WritableKeyPath<Entry, Links>
    ) {
        entries[slot][keyPath: links] = Links(previous: list.tail, next: -1)
        if list.tail >= 0 { entries[list.tail][keyPath: links].next = slot } else { list.head = slot }
        list.tail = slot
    }

    private static func take(
        _ slot: Int, from list: inout List, _ entries: inout [Entry], _ links: WritableKeyPath<Entry, Links>
    ) {
        let own = entries[slot][keyPath: links]
        if own.previous >= 0 { entries[own.previous][keyPath: links].next = own.next } else { list.head = own.next }
        if own.next >= 0 { entries[own.next][keyPath: links].previous = own.previous } else { list.tail = own.previous }
        entries[slot][keyPath: links] = Links()
    }
}
