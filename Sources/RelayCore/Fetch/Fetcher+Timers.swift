import ReflectorModel
import RelayWire

/// The timer of a stream that is fetched. The node runs it in steps, because other parts act between them.
extension Fetcher {
    /// True if it is time to look for parents again: all of them refused a while ago, or there is no path.
    func takeRetry(of stream: StreamState, at now: MonotonicInstant) -> Bool {
        stream.times.retryAt == nil ? stream.paths.isEmpty : stream.times.takeRetry(at: now)
    }

    /// True if the paths should be compared with the zone's answer, once a second.
    func takeReview(of stream: StreamState, at now: MonotonicInstant, _ core: borrowing NodeCore) -> Bool {
        guard stream.times.takeReview(at: now) else { return false }
        if isEdge {
            let totals = PathQuality.Totals(
                delivered: stream.deliveries.delivered, lost: stream.deliveries.lost, repaired: stream.arrivals.repaired
            )
            stream.quality.review(totals, from: core.clock.judgeSilenceFrom, at: now)
        }
        return true
    }

    /// Repeats unanswered Subscribes, gives up paths whose parent never answers, and removes paths that are no longer
    /// needed.
    mutating func tendPaths(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        tendTwins(of: stream, at: now, &core)
        for path in stream.paths.all where stream.paths.all.contains(where: { $0 === path }) {
            if path.state == .leaving {
                if now - path.since >= Self.overlapMax { stay(on: path, of: stream, at: now, &core) }
            } else if path.link.isAlive, now >= path.nextTry {
                if path.tries > core.configuration.retriesMax {
                    stream.candidates.noteRefusal(by: path.candidate.endpoint, at: now)
                    stream.candidates.noteKind(.other)
                    removePath(path, of: stream, at: now, &core)
                    choosePaths(for: stream, at: now, &core)
                } else {
                    subscribe(path, of: stream, at: now, &core)
                }
            }
        }
        checkSilence(of: stream, at: now, &core)
        if stream.paths.all.count > 1 { shedPaths(of: stream, at: now, &core) }
        if stream.paths.all.count > pathsWanted(of: stream, at: now, core) {
            dropExtraPaths(of: stream, at: now, &core)
        }
    }

    /// The new path did not become live in time: returns to the one that was to be left.
    private mutating func stay(
        on path: StreamPath, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        if stream.paths.all.contains(where: { $0.twin?.isMerged == false }) {
            // The next entrypoint's feed is another one: it replaces the stream's own incarnation.
            removePath(path, of: stream, at: now, &core)
            return tendTwins(of: stream, at: now, &core)
        }
        path.becomeLive()
        for other in stream.paths.all where other.state == .joining {
            stream.candidates.noteRefusal(by: other.candidate.endpoint, at: now)
            removePath(other, of: stream, at: now, &core)
        }
    }

    /// The backstop of [A] §IV-B: acts if no new packet of the stream has arrived for `streamSilenceMax`, although
    /// there is a path.
    private mutating func checkSilence(of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        let silentSince = max(stream.arrivals.lastKept, stream.times.lastJoin, core.clock.judgeSilenceFrom)
        guard stream.incarnation != nil, !stream.paths.isEmpty,
            now - silentSince >= core.configuration.streamSilenceMax, !isSilenceOfEncoder(stream, at: now, core)
        else { return }
        stream.quality.needAll(at: now)
        choosePaths(for: stream, at: now, &core)
        if stream.times.takeResubscription(at: now) {
            for path in stream.paths.all { subscribe(path, of: stream, at: now, &core) }
        }
    }

    /// Sets the timer to the next action due for the stream.
    func reschedule(_ stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore) {
        var wake = now + .seconds(1)
        if !stream.paths.hasLive {
            // Nothing flows: look elsewhere soon.
            stream.times.review(noLaterThan: now + Self.joinPatience)
        }
        let soonest = now + .milliseconds(1)
        for at in [stream.times.reviewAt, stream.times.leaveAt, stream.times.retryAt] {
            if let at { wake = min(wake, max(at, soonest)) }
        }
        for path in stream.paths.all {
            switch path.state {
            case .leaving: wake = min(wake, max(path.since + Self.overlapMax, soonest))
            case .joining, .live:
                if path.link.isAlive {
                    wake = min(wake, max(path.nextTry, soonest))
                } else {
                    wake = min(wake, now + Self.joinPatience)
                }
            }
        }
        if let incarnation = stream.incarnation, let first = incarnation.gaps.first {
            if stream.paths.all.contains(where: { $0.link.isAlive && $0.carries(incarnation.tag) }) {
                wake = min(wake, max(incarnation.gaps.nextDue, soonest))
            }
            // A gap after the newest packet delays no delivery.
            if isEdge, first.sequence <= incarnation.index.highest {
                wake = min(wake, max(first.detected + core.configuration.playOutDeadline, soonest))
            }
        }
        if stream.hasDemand || stream.times.leaveAt != nil { core.clock.schedule(stream, wake) }
    }
}
