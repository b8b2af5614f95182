import ReflectorModel

/// The subscriptions of one child: by id, by stream, and in order of subscribing.
struct ChildSubscriptions {
    private var byID: [UInt32: ChildSubscription] = [:]
    /// Ids by slot of the stream: a link has one subscription of each stream.
    private var idOfStream: [Int: UInt32] = [:]
    /// In order of subscribing, for code that iterates over all of them.
    private(set) var ordered: [ChildSubscription] = []
    /// A checksum of all ids. It is compared with the checksum in the child's Renew.
    private(set) var digest: UInt64 = 0
    /// Index in `ordered` at which the next page starts.
    private var pageStart = 0

    subscript(_ id: UInt32) -> ChildSubscription? { byID[id] }

    /// The subscription of the stream in that slot.
    func subscription(ofStream slot: Int) -> ChildSubscription? { idOfStream[slot].flatMap { byID[$0] } }

    mutating func add(_ subscription: ChildSubscription) {
        guard byID.updateValue(subscription, forKey: subscription.id) == nil else { return }
        idOfStream[subscription.stream] = subscription.id
        ordered.append(subscription)
        digest = digest &+ FixedHash.mix(UInt64(subscription.id))
    }

    mutating func remove(_ id: UInt32) -> ChildSubscription? {
        guard let subscription = byID.removeValue(forKey: id) else { return nil }
        // The search starts at the newest: a link that is removed ends its newest subscription first.
        if let index = ordered.lastIndex(where: { $0 === subscription }) { ordered.remove(at: index) }
        if idOfStream[subscription.stream] == id { idOfStream[subscription.stream] = nil }
        digest = digest &- FixedHash.mix(UInt64(id))
        return subscription
    }

    /// Calls `body` with at most `count` subscriptions: those that follow the previous page, in rotation.
    mutating func forNextPage(_ count: Int, _ body: (ChildSubscription) -> Void) {
        if pageStart >= ordered.count { pageStart = 0 }
        let start = pageStart
        pageStart += min(ordered.count, count)
        for place in start..<pageStart { body(ordered[place % ordered.count]) }
    }
}
