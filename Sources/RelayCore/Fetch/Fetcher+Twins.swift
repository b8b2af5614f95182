import ReflectorModel
import RelayWire

/// Hot streams: a set reflector fetches them from two entrypoints at once, and merges the feeds (`Receiver+Twins`). The
/// first entrypoint's incarnation is the stream's own; everything downstream sees only this one, even after its
/// entrypoint is gone.
extension Fetcher {
    /// Whether the zone says that two entrypoints forward the stream at once.
    func isHot(_ name: StreamName, at now: MonotonicInstant) -> Bool {
        directory.answer(.candidates(name), at: now)?.policy.standby == .hot
    }

    /// Follows the zone's policy for a stream whose candidates are these.
    func followPolicy(of stream: StreamState, _ list: CandidateList, at now: MonotonicInstant) {
        let merges =
            isSetReflector && list.all.first?.rank == 0 && stream.neighbours.isEmpty
            && isHot(stream.name, at: now)
        if merges { stream.beginMerging() }
        stream.hot?.follow(isWanted: merges)
        // Packets of a merged twin would be lost without it.
        if !merges, stream.hot != nil, !stream.paths.all.contains(where: { $0.twin != nil }) { stream.endMerging() }
    }

    /// Whether a candidate may bring a second feed: it announces the stream as live, and its feed has not just proved to
    /// be another one.
    func isTwin(
        _ candidate: ParentCandidate, of stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore
    ) -> Bool {
        stream.hot?.isDifferent(candidate.endpoint, at: now) == false
            && announcesLive(candidate.name, stream, at: now, core)
    }

    private func announcesLive(
        _ host: String, _ stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore
    ) -> Bool {
        core.links.announcers.contains { slot in
            guard let link = core.links.children[slot], link.name == host, let list = link.announcements,
                now - list.heardAt <= core.configuration.heartbeatInterval * 3
            else { return false }
            return list[stream.name]?.supply == .live
        }
    }

    /// Whether some other path carries the stream's own incarnation, or is about to.
    func isCarried(_ stream: StreamState, besides path: StreamPath?, at now: MonotonicInstant) -> Bool {
        guard let incarnation = stream.incarnation else { return false }
        return stream.paths.all.contains {
            $0 !== path && $0.link.isAlive && $0.carries(incarnation.tag)
                && ($0.state != .joining || now - $0.since < Self.overlapMax)
        }
    }

    /// Whether the incarnation that a parent sends should be merged into the stream's own one, instead of replacing it.
    func takesTwin(
        _ tag: IncarnationTag, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant
    ) -> Bool {
        if let twin = path.twin, twin.tag == tag, twin.isMerged { return true }
        guard let hot = stream.hot, hot.isWanted, !hot.givesWay, path.link.peer?.role == .entrypoint else {
            return false
        }
        return isCarried(stream, besides: path, at: now)
    }

    /// The second feed of a hot stream starts at the newest packet: the first feed has the others.
    func startsAsTwin(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant) -> Bool {
        stream.hot?.isWanted == true && path.candidate.rank == 0 && path.candidate.isUpstream
            && isCarried(stream, besides: path, at: now)
    }

    /// Drops feeds that proved different, paths to hosts that are no candidates any more, and decides whether the stream's
    /// own incarnation is over. Called regularly, and whenever a path has ended.
    mutating func tendTwins(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard let hot = stream.hot, stream.incarnation != nil else { return }
        for path in stream.paths.all where path.twin?.isDifferent(at: now) == true {
            dropDifferent(path, of: stream, hot, at: now, &core)
        }
        let waiting = stream.paths.all.filter { $0.twin?.isMerged == false && $0.link.isAlive }
        let isStuck =
            now - stream.arrivals.lastKept >= Self.stuckAfter
            && waiting.contains { now - $0.since >= Self.stuckAfter && now - $0.lastArrival < Self.stuckAfter / 2 }
        hot.giveWay(isStuck || !isCarried(stream, besides: nil, at: now))
        guard hot.givesWay else { return }
        for path in waiting {
            path.postpone(until: now)
            core.clock.schedule(stream, now)
        }
    }

    /// A twin brings packets, but the stream's own incarnation has brought none for this long: it is over.
    private static var stuckAfter: TimeSpan { .seconds(1) }

    private func dropDifferent(
        _ path: StreamPath, of stream: StreamState, _ hot: HotStream, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard isCarried(stream, besides: path, at: now) else { return }
        core.context.count(.twinsDifferent)
        let other = stream.paths.all.first { $0 !== path && stream.incarnation.map { $0.tag } == $0.tag }
        if hot.noteDifferent(path.candidate.name, path.candidate.endpoint, at: now) {
            core.context.post(
                .alarm(
                    .feedsDiffer(
                        stream.name, path.candidate.name, other?.candidate.name ?? "the stream's other entrypoint")))
        }
        removePath(path, of: stream, at: now, &core)
    }

    /// Removes the paths of a hot stream to entrypoints that the zone no longer names, as far as others carry it.
    func dropUnlisted(_ list: CandidateList, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard stream.hot?.isWanted == true else { return }
        for path in stream.paths.all
        where list.place(of: path.candidate.endpoint) == nil && isCarried(stream, besides: path, at: now) {
            removePath(path, of: stream, at: now, &core)
        }
    }

    /// Whether a path of a hot stream is silent because its parent has nothing more to send.
    func hasAll(of entry: LinkHeartbeat.Entry, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant)
        -> Bool
    {
        guard let incarnation = stream.incarnation, path.carries(incarnation.tag), isHot(stream.name, at: now),
            let highest = path.ownNumber(entry.highest.rawValue)
        else { return false }
        return highest <= incarnation.index.highest
    }

    /// Whether silence of a hot stream is the encoder's own: its entrypoints send no fillers. It is not if a parent has
    /// more than this node, or if another entrypoint has the encoder's data.
    func isSilenceOfEncoder(
        _ stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore
    ) -> Bool {
        guard isHot(stream.name, at: now), let incarnation = stream.incarnation else { return false }
        let held = incarnation.index.highest
        guard !stream.paths.all.contains(where: { $0.promised > held + 1 }) else { return false }
        guard isSetReflector, let listed = directory.answer(.candidates(stream.name), at: now) else { return true }
        return !listed.hosts(by: directory.addressOrder).contains { found in
            !stream.paths.all.contains { $0.candidate.name == found.host.name }
                && announcesLive(found.host.name, stream, at: now, core)
        }
    }
}
