import ReflectorModel
import RelayWire

/// Compares children with the zone: a certificate proves name, role and region, and the zone knows each host's role,
/// region and address (`{host}.nodes`). Both must agree. A host that the zone does not know is not refused. If the name
/// servers are silent, the last good answer applies: loss of the control plane never stops data.
extension LinkKeeper {
    /// Whether the zone's answer about a child that opens a link agrees with its certificate. If not, the child is told.
    func isConsistent(
        _ applicant: any LinkApplicant, with answer: LookUpAnswer?, from source: Endpoint, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> Bool {
        let claimed = NodeListing.Part(role: applicant.role, region: applicant.region)
        guard checksIdentities,
            let conflict = conflict(applicant.name, applicant.node, claimed, answer, at: source, core)
        else { return true }
        report(conflict, at: now, &core)
        refuse(applicant, .identity, to: source, at: now, &core)
        return false
    }

    /// Checks a child's link after an answer about its host. True if the link must be closed; the child has been told.
    func isImpostor(
        _ link: ChildLink, _ host: String, _ answer: LookUpAnswer?, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        let claimed = NodeListing.Part(role: link.role, region: link.region)
        guard let conflict = conflict(host, link.node, claimed, answer, at: link.endpoint, core) else {
            return false
        }
        report(conflict, at: now, &core)
        for subscription in link.ordered {
            core.send(.subscriptionEnd(subscription: subscription.id, reason: .shed), on: link, at: now)
        }
        core.send(.close(.leaving), on: link, at: now)
        return true
    }

    func report(_ conflict: IdentityConflict, at now: MonotonicInstant, _ core: inout NodeCore) {
        core.context.count(.identitiesRefused)
        core.context.alarm(.identity, .identityRefused(conflict), at: now)
    }

    private func conflict(
        _ host: String, _ node: NodeID, _ claimed: NodeListing.Part, _ answer: LookUpAnswer?, at source: Endpoint,
        _ core: borrowing NodeCore
    ) -> IdentityConflict? {
        guard let answer else { return nil }
        func conflict(_ cause: IdentityConflict.Cause, zone: String) -> IdentityConflict {
            IdentityConflict(name: host, endpoint: source, claimed: claimed, zone: zone, cause: cause)
        }
        let listing = NodeListing(answer)
        guard listing.allows(role: claimed.role, region: claimed.region) else {
            return conflict(.part, zone: listing.description)
        }
        // A node behind a NAT may connect from another address, but not while a node of that name is connected from an
        // address that the zone gives.
        // A member of the own region is at home at its address on the LAN, too.
        let member = core.configuration.neighbours.first { $0.id == node }?.endpoint.address
        func isAtHome(_ endpoint: Endpoint) -> Bool {
            endpoint.address == member || answer.hosts.contains { $0.endpoint.address == endpoint.address }
        }
        let hasOwner = core.links.children(of: node).contains { link in
            link.endpoint.address != source.address && isAtHome(link.endpoint)
        }
        return hasOwner && !isAtHome(source) ? conflict(.address, zone: listing.description) : nil
    }
}
