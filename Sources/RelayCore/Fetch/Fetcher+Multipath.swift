import ReflectorModel
import RelayWire

/// Adaptive multipath ([A] §IV-B): as many paths as the quality at the streaming server calls for, and of the parents the
/// best.
extension Fetcher {
    /// How many paths a stream should have now.
    func pathsWanted(of stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore) -> Int {
        stream.quality.pathsWanted(
            pathsMin: core.configuration.pathsMin, adapts: core.configuration.adaptsPaths, at: now)
    }

    /// After a long good period: back to as few paths as are wanted, the best. A parent that the zone prefers and that
    /// proved worse is not returned to for a while.
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

    /// A path on a link that has long lost too much is no extra path (`CircuitBreaker`): it is given up as long as another
    /// brings the stream. If all links are so, what is full is the way they have in common, and only the best stays.
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

    /// A parent that is nearly full asks for the end of a path. It stays if no other brings the stream.
    func leaveCrowded(_ path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        let isBroughtElsewhere = stream.paths.all.contains {
            $0 !== path && $0.brings(stream.incarnation) && now - $0.lastArrival < Self.overlapMax
        }
        guard isBroughtElsewhere else {
            // It was an extra path once: the parent hears that it no longer is.
            path.becomeFirst()
            return subscribe(path, of: stream, at: now, &core)
        }
        core.context.count(.pathsShed)
        stream.candidates.noteRefusal(by: path.candidate.endpoint, ofExtra: true, at: now)
        removePath(path, of: stream, at: now, &core)
    }

    /// True if there is a link to the candidate that should carry nothing more.
    func isShedding(_ candidate: ParentCandidate, at now: MonotonicInstant, _ core: borrowing NodeCore) -> Bool {
        core.links.parent(at: candidate.endpoint)?.isShedding(at: now) ?? false
    }
}

extension ParentLink {
    fileprivate func isShedding(at now: MonotonicInstant) -> Bool { breaker.level(at: now) != .closed }
}

extension StreamPath {
    /// Whether it brings the incarnation in use, as far as its parent knows.
    fileprivate func brings(_ incarnation: IncarnationState?) -> Bool {
        state == .live && !upstreamSilent && tag == incarnation?.tag
    }

    fileprivate func isBetter(than other: StreamPath) -> Bool {
        let isBefore = (candidate.rank, subscription) < (other.candidate.rank, other.subscription)
        return isBefore ? !other.merit.isClearlyBetter(than: merit) : merit.isClearlyBetter(than: other.merit)
    }

    private var merit: PathMerit {
        PathMerit(loss: link.recentLoss.share, roundTrip: link.roundTrip.smoothed ?? .milliseconds(100))
    }
}
