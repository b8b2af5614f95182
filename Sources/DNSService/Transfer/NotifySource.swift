import ReflectorModel

/// Selects the source address of NOTIFY messages to a secondary. A secondary knows its primary by the address that it
/// queries. This is an address that we listen on; if there are several, the route selects one of them.
enum NotifySource {
    /// - Parameters:
    ///   - listening: addresses that we listen on, including wildcards.
    ///   - route: the address from which the kernel would send; nil without a route.
    /// - Returns: an address to bind to; a wildcard leaves the choice to the kernel.
    static func address(towards target: NotifyTarget, listening: [IPAddress], route: IPAddress?) -> IPAddress {
        if let source = target.source { return source }
        let isV4 = target.endpoint.address.isV4
        let wildcard = isV4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
        let own = listening.filter { $0.isV4 == isV4 && $0 != wildcard }
        if let route, own.contains(route) { return route }
        // Packets from a loopback address cannot leave the machine, and a target on loopback does not know our other
        // addresses.
        let isNear = target.endpoint.address.isLoopback
        if let same = own.first(where: { $0.isLoopback == isNear }) { return same }
        return isNear ? own.first ?? wildcard : wildcard
    }
}
