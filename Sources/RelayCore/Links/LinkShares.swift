import NodeIdentity
import ReflectorModel
import RelayWire

/// Who owns the children's links, so that no address and no node can take all of them; and which links were closed
/// recently, so that a replayed `Open` does not reopen them.
struct LinkShares {
    /// The newest handshake of a closed link.
    private struct Closed {
        var endpoint: Endpoint
        var nonce: Nonce
        var cookieMilliseconds: UInt64
    }

    /// Number of places in the table of closed links. A hash of the link's endpoint selects the place, and a newer link
    /// overwrites an older one in the same place.
    private static let closedMax = 4_096
    private var closed: [Closed?] = []
    private var countOfAddress: [IPAddress: Int] = [:]
    private var slotsOfNode: [NodeID: [Int]] = [:]
    /// When the links were last searched for one to close.
    private var searchedAt: MonotonicInstant?

    /// The key by which links are counted: an IPv4 address itself, or the /64 network of an IPv6 address, because a
    /// host with one address of that network can use all of them.
    static func key(_ address: IPAddress) -> IPAddress {
        address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }

    func count(at address: IPAddress) -> Int { countOfAddress[Self.key(address)] ?? 0 }

    /// Slots of the node's links, oldest first.
    func slots(of node: NodeID) -> [Int] { slotsOfNode[node] ?? [] }

    mutating func add(_ link: ChildLink) {
        countOfAddress[Self.key(link.endpoint.address), default: 0] += 1
        slotsOfNode[link.node, default: []].append(link.slot)
    }

    mutating func remove(_ link: ChildLink) {
        let key = Self.key(link.endpoint.address)
        let left = (countOfAddress[key] ?? 1) - 1
        countOfAddress[key] = left > 0 ? left : nil
        slotsOfNode[link.node]?.removeAll { $0 == link.slot }
        if slotsOfNode[link.node]?.isEmpty == true { slotsOfNode[link.node] = nil }
        if closed.isEmpty { closed = Array(repeating: nil, count: Self.closedMax) }
        closed[Self.place(of: link.endpoint)] = Closed(
            endpoint: link.endpoint, nonce: link.nonce, cookieMilliseconds: link.cookieMilliseconds)
    }

    /// True if `open` is the `Open` of the link last closed at `source`, or is older than that `Open`.
    func isReplay(_ open: any LinkApplicant, from source: Endpoint) -> Bool {
        guard !closed.isEmpty, let last = closed[Self.place(of: source)], last.endpoint == source else {
            return false
        }
        return open.nonce == last.nonce || open.cookieMilliseconds < last.cookieMilliseconds
    }

    /// True if all links may be searched now. Searches have a minimum spacing, so that a thousand consecutive Opens do
    /// not each cause one.
    mutating func maySearch(at now: MonotonicInstant) -> Bool {
        if let searchedAt, now - searchedAt < .milliseconds(5) { return false }
        searchedAt = now
        return true
    }

    private static func place(of endpoint: Endpoint) -> Int {
        let hash = FixedHash.combine(
            FixedHash.combine(endpoint.address.high, endpoint.address.low), UInt64(endpoint.port))
        return Int(truncatingIfNeeded: hash % UInt64(closedMax))
    }
}
