/// What a packet needs to know of a child to be sent to it. Those of a stream lie side by side: with thousands of streams,
/// of which each has its turn only now and then, a packet's cost is how much memory it must fetch.
struct FanOutEntry {
    /// As in `ChildSubscription`: not counted, and never used after the link.
    let link: Unmanaged<ChildLink>
    let subscription: UInt32
    /// Numbers from this one on, and below the other, go out as they come.
    let from: UInt64
    let end: UInt64

    init(_ child: ChildSubscription) {
        link = child.unmanagedLink
        subscription = child.id
        from = child.from
        end =
            switch child.state {
            case .pending: 0
            case .backlog(let cursor): cursor
            case .live: .max
            }
    }
}
