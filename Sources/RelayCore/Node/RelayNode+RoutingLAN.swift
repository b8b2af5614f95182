import ReflectorModel
import RelayWire

/// Giving streams to the members of the region by groups of the LAN.
extension RelayNode {
    /// A child was told what it gets: a member on the same LAN can take it from the stream's group.
    func offerLAN(to subscription: ChildSubscription, of stream: StreamState, at now: MonotonicInstant) {
        guard let groups = core.configuration.lan, region?.isOnLAN(subscription.link.node) == true,
            subscription.state != .pending
        else { return }
        server.offerLAN(groups, to: subscription, of: stream, at: now, &core)
    }

    /// Repeats offers that did not arrive, and ends feeds that nobody needs any more.
    func tendLAN(at now: MonotonicInstant) {
        guard core.configuration.lan != nil else { return }
        server.tendLAN(isOnLAN: { region?.isOnLAN($0) == true }, at: now, &core)
    }
}
