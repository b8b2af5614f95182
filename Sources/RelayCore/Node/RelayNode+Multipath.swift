import ReflectorModel
import RelayWire

/// Adaptive multipath ([A] §IV-B): as many paths as the quality at the streaming server calls for, and of the parents the
/// best.
extension RelayNode {
    /// How many paths a stream should have now.
    func pathsWanted(of stream: StreamState, at now: MonotonicInstant) -> Int {
        let asked = now < stream.extraPathsUntil ? PathPolicy.pathsMax : 1
        let byQuality = configuration.adaptsPaths ? stream.policy.wanted : 1
        return min(max(asked, byQuality, configuration.pathsMin), PathPolicy.pathsMax)
    }

    /// Once a second at an edge: what the streaming server got of the stream since.
    func judgeQuality(of stream: StreamState, at now: MonotonicInstant) {
        guard playOut != nil, now - stream.judged.at >= .milliseconds(900) else { return }
        let second = PathPolicy.Second(
            delivered: stream.delivered &- stream.judged.delivered,
            missing: stream.lost &- stream.judged.lost,
            repaired: stream.repaired &- stream.judged.repaired)
        // What a start or a sleep lost is not the paths' doing.
        let isRegular = stream.judged.at != .zero && now - stream.judged.at < .milliseconds(2_500)
        stream.judged = (stream.delivered, stream.lost, stream.repaired, now)
        if isRegular, now >= clock.judgeSilenceFrom { stream.policy.note(second, at: now) }
    }

    /// After a long good period: back to as few paths as are wanted, the best. A parent that the zone prefers and that
    /// proved worse is not returned to for a while.
    func dropExtraPaths(of stream: StreamState, at now: MonotonicInstant) {
        let good = stream.paths.all.filter { isFlowing($0, stream) }
        let best = good.sorted { isBetter($0, than: $1) }
        let kept = best.prefix(pathsWanted(of: stream, at: now))
        guard let last = kept.last else { return }
        for path in stream.paths.all
        where path.state != .leaving && !kept.contains(where: { $0 === path }) {
            if path.candidate.rank < last.candidate.rank, good.contains(where: { $0 === path }) {
                stream.demote(path.candidate.endpoint, until: now + PathPolicy.demotionSpan)
            }
            removePath(path, of: stream, at: now)
        }
    }

    /// A path on a link that has long lost too much is no extra path (`CircuitBreaker`): it is given up as long as another
    /// brings the stream. If all links are so, what is full is the way they have in common, and only the best stays.
    func shedPaths(of stream: StreamState, at now: MonotonicInstant) {
        guard stream.paths.all.contains(where: { isShedding($0.link, at: now) }) else { return }
        let flowing = stream.paths.all.filter { isFlowing($0, stream) }
        let clean = flowing.filter { !isShedding($0.link, at: now) }
        let kept = clean.isEmpty ? Array(flowing.sorted { isBetter($0, than: $1) }.prefix(1)) : clean
        guard let last = kept.last else { return }
        for path in stream.paths.all
        where isShedding(path.link, at: now) && !kept.contains(where: { $0 === path }) {
            context.count(.pathsShed)
            if path.candidate.rank < last.candidate.rank {
                stream.demote(path.candidate.endpoint, until: now + PathPolicy.demotionSpan)
            }
            removePath(path, of: stream, at: now)
        }
    }

    /// Whether the path brings the incarnation in use, as far as its parent knows.
    func isFlowing(_ path: StreamPath, _ stream: StreamState) -> Bool {
        path.state == .live && !path.upstreamSilent && path.tag == stream.incarnation?.tag
    }

    func isShedding(_ link: ParentLink, at now: MonotonicInstant) -> Bool {
        link.breaker.level(at: now) != .closed
    }

    /// True if there is a link to the candidate that should carry nothing more.
    func isShedding(_ candidate: ParentCandidate, at now: MonotonicInstant) -> Bool {
        guard let link = links.parent(at: candidate.endpoint) else { return false }
        return isShedding(link, at: now)
    }

    private func isBetter(_ a: StreamPath, than b: StreamPath) -> Bool {
        let isBefore = (a.candidate.rank, a.subscription) < (b.candidate.rank, b.subscription)
        return isBefore
            ? !merit(b).isClearlyBetter(than: merit(a)) : merit(a).isClearlyBetter(than: merit(b))
    }

    private func merit(_ path: StreamPath) -> PathMerit {
        PathMerit(
            loss: path.link.recentLoss.share,
            roundTrip: path.link.roundTrip.smoothed ?? .milliseconds(100))
    }
}
