import ReflectorModel
import RelayWire

/// Whether nodes are what they say: whoever has the network key can claim any name and role, but the zone knows each
/// host's part and address (`{host}.nodes`). What the zone does not know is not refused, and without name servers the
/// last good answer stands: losing the control plane never stops data.
extension RelayNode {
    /// What speaks against a child that opens a link; nil if nothing does, or nothing is known yet.
    func conflict(of open: Open, from source: Endpoint, at now: MonotonicInstant) -> IdentityConflict? {
        let claimed = NodeListing.Part(role: open.role, region: open.region)
        guard NodeID(name: open.name) == open.node else {
            return IdentityConflict(
                name: open.name, endpoint: source, claimed: claimed, zone: "", cause: .id)
        }
        let host = open.name.lowercased()
        // An edge gives nobody anything.
        guard playOut == nil, ReflectorName.isHost(host) else { return nil }
        use(.node(host: host), at: now)
        return conflict(host, open.node, claimed, at: source, now)
    }

    /// The zone's answer about a host has come: links of nodes that claim otherwise are closed.
    func judgeIdentities(of host: String, at now: MonotonicInstant) {
        guard playOut == nil else { return }
        let node = NodeID(name: host)
        for link in links.children.all where link.node == node {
            let claimed = NodeListing.Part(role: link.role, region: link.region)
            guard let conflict = conflict(host, node, claimed, at: link.endpoint, now) else { continue }
            note(conflict, at: now)
            endSubscriptions(of: link, at: now)
            send(.close(.leaving), on: link, at: now)
            remove(link, at: now)
        }
    }

    func note(_ conflict: IdentityConflict, at now: MonotonicInstant) {
        context.count(.identitiesRefused)
        context.alarm(.identity, .identityRefused(conflict), at: now)
    }

    private func conflict(
        _ host: String, _ node: NodeID, _ claimed: NodeListing.Part, at source: Endpoint,
        _ now: MonotonicInstant
    ) -> IdentityConflict? {
        guard let answer = directory.answer(.node(host: host), at: now) else { return nil }
        func conflict(_ cause: IdentityConflict.Cause, zone: String) -> IdentityConflict {
            IdentityConflict(name: host, endpoint: source, claimed: claimed, zone: zone, cause: cause)
        }
        let listing = NodeListing(answer)
        guard listing.allows(role: claimed.role, region: claimed.region) else {
            return conflict(.part, zone: listing.description)
        }
        // A node behind an address translator comes from elsewhere; but not beside one that comes from where it should.
        func isAtHome(_ endpoint: Endpoint) -> Bool {
            answer.hosts.contains { $0.endpoint.address == endpoint.address }
        }
        let hasOwner = links.children.all.contains { link in
            link.node == node && link.endpoint.address != source.address && isAtHome(link.endpoint)
        }
        return hasOwner && !isAtHome(source) ? conflict(.address, zone: listing.description) : nil
    }

    private func endSubscriptions(of link: ChildLink, at now: MonotonicInstant) {
        for subscription in link.ordered {
            send(.subscriptionEnd(subscription: subscription.id, reason: .shed), on: link, at: now)
        }
    }

    // MARK: Parents

    /// Whether the node that answers is the host that the zone names at its address.
    func isExpected(_ opened: Opened, on link: ParentLink, at now: MonotonicInstant) -> Bool {
        let expected = NodeID(name: link.peerName)
        if opened.node == expected, NodeID(name: opened.name) == expected { return true }
        context.count(.parentsMistaken)
        noteRefusal(of: link, nil, at: now)
        context.alarm(
            .identity, .parentMistaken(expected: link.peerName, found: opened.name, link.endpoint),
            at: now)
        return false
    }
}
