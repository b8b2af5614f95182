import DequeModule
import NodeIdentity
import ReflectorModel

/// Opens whose cookies are right and that wait for their turn. Each costs asymmetric cryptography, so they are handled
/// one at a time, with room for packets between them, and the addresses take turns: a flood from some addresses delays
/// the links of others little, and delays packets not at all.
struct OpenQueue {
    struct Waiting {
        var open: OpenMessage
        var source: Endpoint
        /// Number of our own address on which it arrived.
        var local: UInt8
    }

    /// Maximum number of Opens that wait, and of those from one address (one /64 of IPv6). An honest child has one.
    static let countMax = 2_048
    static let countMaxOfAddress = 256
    /// From one Open to the next: an Open takes 0.3 to 0.5 ms of the processor.
    static let interval = TimeSpan.microseconds(700)

    private var waiting: [IPAddress: Deque<Waiting>] = [:]
    /// Addresses that have Opens waiting. The address at the front is next.
    private var turns = Deque<IPAddress>()
    private(set) var count = 0
    private var nextAt: MonotonicInstant = .zero

    /// When the next one may be handled; nil if none waits.
    var nextTimeout: MonotonicInstant? { turns.isEmpty ? nil : nextAt }

    /// False if there is no room. An Open that is repeated while it waits is not added again.
    mutating func append(_ one: Waiting, at now: MonotonicInstant) -> Bool {
        let key = LinkShares.key(one.source.address)
        var queue = waiting[key] ?? []
        if queue.contains(where: { $0.source == one.source && $0.open.nonce == one.open.nonce }) { return true }
        guard count < Self.countMax, queue.count < Self.countMaxOfAddress else { return false }
        if turns.isEmpty { nextAt = max(nextAt, now) }
        if queue.isEmpty { turns.append(key) }
        queue.append(one)
        waiting[key] = queue
        count += 1
        return true
    }

    /// Removes and returns the next one if it is due.
    mutating func take(at now: MonotonicInstant) -> Waiting? {
        guard now >= nextAt, let key = turns.popFirst(), var queue = waiting.removeValue(forKey: key),
            let first = queue.popFirst()
        else { return nil }
        if !queue.isEmpty {
            waiting[key] = queue
            turns.append(key)
        }
        count -= 1
        nextAt = now + Self.interval
        return first
    }
}
