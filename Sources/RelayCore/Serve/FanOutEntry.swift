/// What a node must know about a child to send it a packet. The entries of one stream are contiguous in memory: with
/// thousands of streams, the CPU's caches hold few entries, and a packet costs mainly the time to fetch them.
struct FanOutEntry {
    /// Unmanaged as in `ChildSubscription`, and never used after the link is removed.
    let link: Unmanaged<ChildLink>
    let subscription: UInt32
    /// Packets with numbers from `from` to below `end` are forwarded as they arrive.
    let from: UInt64
    let end: UInt64

    init(_ child: ChildSubscription) {
        link = child.unmanagedLink
        subscription = child.id
        from = child.isOnRequest ? .max : child.from
        end =
            switch child.state {
            case .pending: 0
            case .backlog(let cursor): cursor
            case .live: .max
            }
    }
}
