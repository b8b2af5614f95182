/// What must be known of a child to send it a packet. The entries of one stream are contiguous in memory: with
/// thousands of streams the caches hold few of them, and a packet costs as much as the memory that it must fetch.
struct FanOutEntry {
    /// Unmanaged as in `ChildSubscription`, and never used after the link.
    let link: Unmanaged<ChildLink>
    let subscription: UInt32
    /// Packets with numbers from `from` to below `end` are forwarded as they arrive.
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
