import ReflectorModel
import RelayWire

/// At the parent: whether there is room for one more link, and which link to close for it.
extension LinkKeeper {
    enum Room {
        case ready
        /// This link must be closed; its child has been told.
        case close(ChildLink)
        case refuse(LinkRefusal)
    }

    /// Makes room for a link from that node at that address. A link of another node is never closed for this if it
    /// fetches streams or announces. The first to go is a link on which nothing was ever received; among equals, one
    /// from the address with the most links, then the one that has been silent longest.
    func makeRoom(
        for applicant: any LinkApplicant, from source: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Room {
        let own = core.links.children(of: applicant.node)
        // The same node at the same address has restarted, or its NAT has assigned another port.
        if let link = own.first(where: { $0.endpoint.address == source.address }) {
            return replace(link, at: now, &core)
        }
        if own.count >= core.configuration.linksPerNodeMax, let oldest = leastUseful(own, core.links) {
            return replace(oldest, at: now, &core)
        }
        if core.links.shares.count(at: source.address) >= core.configuration.linksPerAddressMax {
            let key = LinkShares.key(source.address)
            let link = evict(at: now, &core) { LinkShares.key($0.endpoint.address) == key }
            return link.map { .close($0) } ?? .refuse(.addressFull)
        }
        if core.links.children.count >= core.configuration.linksMax {
            return evict(at: now, &core) { _ in true }.map { .close($0) } ?? .refuse(.tableFull)
        }
        return .ready
    }

    private func replace(_ link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) -> Room {
        core.context.count(.linksReplaced)
        core.send(.close(.replaced), on: link, at: now)
        return .close(link)
    }

    /// Returns the idle link to close, whose child has been told; nil if there is none, or if the links were searched
    /// too recently.
    private func evict(
        at now: MonotonicInstant, _ core: inout NodeCore, where isCandidate: (ChildLink) -> Bool
    ) -> ChildLink? {
        guard core.links.maySearch(at: now) else { return nil }
        let idle = core.links.children.all.filter { $0.ordered.isEmpty && !$0.announces && isCandidate($0) }
        guard let link = leastUseful(idle, core.links) else { return nil }
        core.context.count(.linksEvicted)
        if let count = core.context.isAlarmDue(.linksEvicted, at: now) {
            core.context.post(.alarm(.linksEvicted(count: count, peer: link.name, link.endpoint)))
        }
        core.send(.close(.leaving), on: link, at: now)
        return link
    }

    /// The link to evict first. A link on which nothing was ever received goes before one that has carried messages;
    /// then, a link that fetches nothing goes before one that does; then, one from the address with the most links; and
    /// finally, the one that has been silent longest.
    private func leastUseful(_ candidates: [ChildLink], _ links: borrowing LinkTable) -> ChildLink? {
        var least: (link: ChildLink, order: (Int, Int, Int, MonotonicInstant))?
        for link in candidates {
            let order = (
                link.hasSpoken ? 1 : 0, link.ordered.isEmpty ? 0 : 1, -links.shares.count(at: link.endpoint.address),
                link.lastReceived
            )
            if let known = least, known.order <= order { continue }
            least = (link, order)
        }
        return least?.link
    }
}
