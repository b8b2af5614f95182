import ReflectorModel
import RelayWire

/// Streams that go to a group of the LAN once, instead of to each member on its link.
extension Server {
    /// A member that is offered a feed and does not use it is offered it again after this time.
    private static var offerInterval: TimeSpan { .seconds(1) }

    /// If the child is a member on the same LAN: sends the stream to its group from now on, and tells the child where that
    /// is.
    func offerLAN(
        to subscription: ChildSubscription, of stream: StreamState, _ region: Region?, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard let groups = core.configuration.lan, region?.isOnLAN(subscription.link.node) == true,
            subscription.state != .pending
        else { return }
        let outlet: LanOutlet
        if let known = stream.lanOutlet {
            outlet = known
        } else {
            let place = LanFeed.Place(token: core.context.secret64() | 1, group: groups.group(of: stream.name))
            outlet = LanOutlet(place, local: subscription.link.local)
            stream.beginLAN(outlet)
            core.lan.noteOutlet(of: stream.slot)
        }
        // Members know this node by the address of their links to it. One that has another must take its own copy.
        guard outlet.local == subscription.link.local else { return }
        guard subscription.takeOffer(spacing: Self.offerInterval, at: now) else { return }
        let feed = LanFeed(subscription: subscription.id, place: outlet.place)
        core.send(.lanFeed(feed), on: subscription.link, at: now)
    }

    /// Repeats offers that did not arrive, and ends feeds that nobody needs any more.
    func tendLAN(_ region: Region?, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard core.lan.isTendingDue(interval: Self.offerInterval, at: now) else { return }
        for slot in core.lan.outlets {
            let stream = core.streams[slot]
            let takers = stream?.children.filter { $0.isOffered && region?.isOnLAN($0.link.node) == true } ?? []
            core.context.noteWork(UInt64(stream?.children.count ?? 0))
            guard let stream, !takers.isEmpty else {
                stream?.endLAN()
                core.lan.forgetOutlet(of: slot)
                continue
            }
            for taker in takers where !taker.isOnRequest {
                offerLAN(to: taker, of: stream, region, at: now, &core)
            }
        }
    }

    /// Answers a request for a packet by sending it to the group, if the child takes the stream from there. A later try
    /// is answered on the link: the LAN has lost the answer to an earlier one. False if the packet must go to the child.
    func retransmitToGroup(
        _ packet: ChildQueues.Packet, for nak: Nak, of subscription: ChildSubscription, _ stream: StreamState,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard subscription.isOnRequest, subscription.isOffered, nak.tryNumber <= 1, let outlet = stream.lanOutlet else {
            return false
        }
        if outlet.admits(packet.sequence.rawValue, of: nak, at: now) || !core.configuration.regionRules.sharesRepairs {
            core.egress.retransmit(packet, of: stream, on: outlet, core.log, at: now, &core.context)
        } else {
            core.context.count(.lanRepairsShared)
        }
        return true
    }
}
