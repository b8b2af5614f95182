import ReflectorModel
import RelayWire

/// Every link of a node, to parents and from children, by slot, by token and by address.
struct LinkTable: ~Copyable {
    /// The link that a token identifies.
    enum Slot: Equatable {
        case parent(Int)
        case child(Int)
    }

    /// Links that this node opened. Changed only by `open` and `remove`.
    private(set) var parents = SlotTable<ParentLink>()
    /// Links that children opened to this node. Changed only by `accept` and `remove`.
    private(set) var children = SlotTable<ChildLink>()
    /// Slots of the child links that announce streams to a set reflector, in the order in which they were opened.
    /// Changed only by `addAnnouncer` and `remove`.
    private(set) var announcers: [Int] = []
    /// How many links each address and each node has here, and which links were closed recently.
    private(set) var shares = LinkShares()
    private var slotByToken: [UInt64: Slot] = [:]
    private var parentByEndpoint: [Endpoint: Int] = [:]
    private var childByEndpoint: [Endpoint: Int] = [:]
    /// Slot of the parent that sent the last packet: the next packet is often from the same one and needs no look-up.
    private var lastParent = 0
    private var nextSubscription: UInt32 = 1
    private var working = WorkingAddresses()

    func slot(token: UInt64) -> Slot? { slotByToken[token] }
    func isFree(token: UInt64) -> Bool { token != 0 && slotByToken[token] == nil }

    /// The link to a parent whose packets carry this token.
    @inline(__always) mutating func parent(token: UInt64) -> ParentLink? {
        if let link = parents[lastParent], link.childToken == token { return link }
        guard case .parent(let slot) = slotByToken[token] else { return nil }
        lastParent = slot
        return parents[slot]
    }

    /// The link to the parent host that has this address.
    func parent(at endpoint: Endpoint) -> ParentLink? {
        parentByEndpoint[endpoint].flatMap { parents[$0] }
    }
    func child(at endpoint: Endpoint) -> ChildLink? {
        childByEndpoint[endpoint].flatMap { children[$0] }
    }

    /// The links of one child node, oldest first.
    func children(of node: NodeID) -> [ChildLink] { shares.slots(of: node).compactMap { children[$0] } }

    /// Which of a host's addresses to try first.
    func firstAddress(of host: Endpoint, others: [Endpoint], at now: MonotonicInstant) -> Endpoint {
        working.first(of: host, others: others, at: now)
    }

    /// The host answers at this address, or this address should be tried next.
    mutating func noteWorking(
        _ address: Endpoint, of host: Endpoint, for span: TimeSpan = WorkingAddresses.span, at now: MonotonicInstant
    ) {
        working.note(address, of: host, for: span, at: now)
    }

    /// A subscription id that no path of this node has used before.
    mutating func takeSubscriptionID() -> UInt32 {
        defer { nextSubscription &+= 1 }
        return nextSubscription
    }

    mutating func open(_ make: (Int) -> ParentLink) -> ParentLink {
        let link = parents.insert(make)
        parentByEndpoint[link.endpoint] = link.slot
        for address in [link.remote] + link.others where parentByEndpoint[address] == nil {
            parentByEndpoint[address] = link.slot
        }
        slotByToken[link.childToken] = .parent(link.slot)
        return link
    }

    mutating func accept(_ make: (Int) -> ChildLink) -> ChildLink {
        let link = children.insert(make)
        childByEndpoint[link.endpoint] = link.slot
        shares.add(link)
        slotByToken[link.parentToken] = .child(link.slot)
        return link
    }

    /// The link gets another token, under which it is found, too.
    mutating func add(token: UInt64, of link: ParentLink) { slotByToken[token] = .parent(link.slot) }
    mutating func add(token: UInt64, of link: ChildLink) { slotByToken[token] = .child(link.slot) }
    /// No link is found under this token any more.
    mutating func remove(token: UInt64) { slotByToken[token] = nil }

    mutating func remove(_ link: ParentLink) {
        slotByToken[link.childToken] = nil
        for address in [link.endpoint, link.remote] + link.others
        where parentByEndpoint[address] == link.slot {
            parentByEndpoint[address] = nil
        }
        parents.remove(link.slot)
    }

    mutating func addAnnouncer(_ link: ChildLink) { announcers.append(link.slot) }

    mutating func remove(_ link: ChildLink) {
        shares.remove(link)
        announcers.removeAll { $0 == link.slot }
        slotByToken[link.parentToken] = nil
        if childByEndpoint[link.endpoint] == link.slot { childByEndpoint[link.endpoint] = nil }
        children.remove(link.slot)
    }

    /// True if all links may be searched now for one to close. See `LinkShares.maySearch`.
    mutating func maySearch(at now: MonotonicInstant) -> Bool { shares.maySearch(at: now) }
}
