import ReflectorModel
import RelayWire

/// Adaptive multipath ([A] §IV-B): as many paths as the quality at the streaming server requires, via the best parents.
extension Fetcher {
    /// How many paths a stream should have now.
    func pathsWanted(of stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore) -> Int {
        // The leader of the region adds paths; a second one to another member would bring the same packets.
        guard stream.neighbours.isEmpty else { return 1 }
        return stream.quality.pathsWanted(
            pathsMin: max(core.configuration.pathsMin, stream.hot?.isWanted == true ? 2 : 1),
            adapts: core.configuration.adaptsPaths, at: now)
    }

    /// After a long good period, drops back to the number of paths wanted and keeps the best ones. A preferred parent
    /// that proved worse is not used again for a while.
    func dropExtraPaths(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        let good = stream.paths.all.filter { $0.brings(stream.incarnation) }
        let best = good.sorted { $0.isBetter(than: $1) }
        let kept = best.prefix(pathsWanted(of: stream, at: now, core))
        guard let last = kept.last else { return }
        for path in stream.paths.all where path.state != .leaving && !kept.contains(where: { $0 === path }) {
            if path.candidate.rank < last.candidate.rank, good.contains(where: { $0 === path }) {
                stream.candidates.demote(path.candidate.endpoint, until: now + PathPolicy.demotionSpan)
            }
            removePath(path, of: stream, at: now, &core)
        }
    }

    /// A link with long heavy loss carries no extra path (`CircuitBreaker`): its path is dropped if another one carries
    /// the stream. If all links lose that much, the congestion is on the part of the route that they share, and
    /// only the best path stays.
    func shedPaths(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        guard stream.paths.all.contains(where: { $0.link.isShedding(at: now) }) else { return }
        let flowing = stream.paths.all.filter { $0.brings(stream.incarnation) }
        let clean = flowing.filter { !$0.link.isShedding(at: now) }
        let kept = clean.isEmpty ? Array(flowing.sorted { $0.isBetter(than: $1) }.prefix(1)) : clean
        guard let last = kept.last else { return }
        for path in stream.paths.all
        where path.link.isShedding(at: now) && !kept.contains(where: { $0 === path }) {
            core.context.count(.pathsShed)
            if path.candidate.rank < last.candidate.rank {
                stream.candidates.demote(path.candidate.endpoint, until: now + PathPolicy.demotionSpan)
            }
            removePath(path, of: stream, at: now, &core)
        }
    }

    /// A parent that is nearly full asks this node to end a path. The path stays if no other one carries the stream.
    func leaveCrowded(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        let isBroughtElsewhere = stream.paths.all.contains {
            $0 !== path && $0.brings(stream.incarnation) && now - $0.lastArrival < Self.overlapMax
        }
        guard isBroughtElsewhere else {
            // It was an extra path before: tell the parent that it no longer is.
            path.becomeFirst()
            return subscribe(path, of: stream, at: now, &core)
        }
        core.context.count(.pathsShed)
        stream.candidates.noteRefusal(by: path.candidate.endpoint, ofExtra: true, at: now)
        removePath(path, of: stream, at: now, &core)
    }

    /// True if there is a link to the candidate and this link should take no more traffic.
    func isShedding(_ candidate: ParentCandidate, at now: MonotonicInstant, _ core: borrowing NodeCore) -> Bool {
        core.links.parent(at: candidate.endpoint)?.isShedding(at: now) ?? false
    }
}

extension ParentLink {
    fileprivate func isShedding(at now: MonotonicInstant) -> Bool { breaker.level(at: now) != .closed }
}

extension StreamPath {
    /// Whether the path carries the current incarnation and, by its parent's reports, the parent's upstream works.
    fileprivate func brings(_ incarnation: IncarnationState?) -> Bool {
        state == .live && !upstreamSilent && (incarnation.map { carries($0.tag) } ?? (tag == nil))
    }

    fileprivate func isBetter(than other: StreamPath) -> Bool {
        let isBefore = (candidate.rank, subscription) < (other.candidate.rank, other.subscription)
        return isBefore ? !other.merit.isClearlyBetter(than: merit) : merit.isClearlyBetter(than: other.merit)
    }

    private var merit: PathMerit {
        PathMerit(loss: link.recentLoss.share, roundTrip: link.roundTrip.smoothed ?? .milliseconds(100))
    }
}
