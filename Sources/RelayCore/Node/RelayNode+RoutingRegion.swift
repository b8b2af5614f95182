import ReflectorModel
import RelayWire

/// A region of several members: reports and deaths of members go to the `Region`, and the streams follow its decisions.
extension RelayNode {
    /// Viewers or children of this member want a stream.
    func noteRegionDemand(for stream: StreamState, at now: MonotonicInstant) {
        region?.evaluate(stream.name, at: now, &core)
        _ = stream.follow(neighbours: region?.parents(of: stream.name, core) ?? [])
        core.clock.scheduleRegion(now)
    }

    func noteRegionChange(at now: MonotonicInstant) {
        guard region != nil else { return }
        region?.noteChange()
        core.clock.scheduleRegion(now)
    }

    func onRegionReport(_ report: RegionReport, on link: ChildLink, at now: MonotonicInstant) {
        guard region != nil else { return core.context.count(.rejectedUnexpected) }
        if region?.onReport(report, on: link, at: now, &core) == true { core.clock.scheduleRegion(now) }
    }

    /// A child has closed its link.
    func onClose(_ link: ChildLink, at now: MonotonicInstant) {
        region?.noteClose(of: link.node, at: now, &core)
        remove(link, at: now)
        if region != nil { core.clock.scheduleRegion(now) }
    }

    /// The link to a member has failed. Its streams ask elsewhere next, so the region is evaluated first.
    func memberFailed(_ link: ParentLink, at now: MonotonicInstant) {
        if link.isProvedDead { region?.noteDeath(at: link.endpoint, &core) }
        followRegion(at: now)
        core.clock.scheduleRegion(now)
    }

    /// Keeps links to all members, decides who leads, and reports.
    func handleRegionTimer(at now: MonotonicInstant) {
        for member in region?.members ?? [] where core.links.parent(at: member.endpoint) == nil {
            _ = core.openLink(
                to: member.endpoint, others: [], name: member.name, isForAnnouncing: false, at: now)
        }
        followRegion(at: now)
        region?.report(at: now, &core)
        server.tendLAN(region, at: now, &core)
        if let next = region?.nextTimeout(core, at: now) { core.clock.scheduleRegion(next) }
    }

    /// Decides who leads each stream, and moves the streams that this member fetches.
    private func followRegion(at now: MonotonicInstant) {
        guard region?.evaluate(at: now, &core) == true else { return }
        for stream in core.streams.all {
            guard stream.follow(neighbours: region?.parents(of: stream.name, core) ?? []) else { continue }
            choosePaths(for: stream, at: now)
        }
    }

    /// This member is about to stop: the others take its slots.
    func leaveRegion(at now: MonotonicInstant) {
        guard region != nil else { return }
        region?.leave(at: now)
        handleRegionTimer(at: now)
    }

    /// Whether this member leads the stream in its region, and fetches it from outside.
    public func leadsInRegion(_ name: StreamName) -> Bool { region?.leads(name) ?? false }
}
