import ReflectorModel
import RelayWire

/// Replies of parents to subscriptions.
extension Fetcher {
    /// What the node must do after a reply.
    enum ReplyOutcome {
        case settled
        /// The parent sends the current incarnation.
        case continues(StreamPath, StreamState)
        /// The parent sends another incarnation, which replaces the current one, if any.
        case begins(IncarnationTag, StreamPath, StreamState)
        /// The parent sends another incarnation, which is to be merged into the current one.
        case twins(IncarnationTag, StreamPath, StreamState)
    }

    mutating func onSubscribeReply(
        _ reply: SubscribeReply, on link: ParentLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> ReplyOutcome {
        guard let (path, stream) = path(of: reply.subscription, on: link, core) else { return .settled }
        switch reply.status {
        case .pending:
            path.noteAnswer(nextTry: now + .seconds(1))
            core.clock.schedule(stream, path.nextTry)
        case .ok where isForeign(reply, on: link):
            core.context.count(.powersExceeded)
            core.context.alarm(.identity, .foreignSource(peer: link.peerName, link.endpoint), at: now)
        case .ok:
            path.noteAnswer(nextTry: .distantFuture)
            stream.candidates.noteAcceptance(by: path.candidate.endpoint)
            return accept(reply, on: path, of: stream, at: now, &core)
        case .crowded: leaveCrowded(path, of: stream, at: now, &core)
        case .unknownStream, .busy, .loop, .tableFull, .noSource, .undecided:
            stream.candidates.noteKind(RefusalKinds(reply.status))
            stream.candidates.noteRefusal(by: path.candidate.endpoint, ofExtra: path.isExtra, at: now)
            removePath(path, of: stream, at: now, &core)
            choosePaths(for: stream, at: now, &core)
        }
        return .settled
    }

    /// Whether an entrypoint names another node as the source: it has only streams of its own.
    private func isForeign(_ reply: SubscribeReply, on link: ParentLink) -> Bool {
        link.peer.map { $0.role == .entrypoint && $0.node != reply.source } ?? false
    }

    /// Decides whether to accept the incarnation that a parent says it sends.
    private mutating func accept(
        _ reply: SubscribeReply, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) -> ReplyOutcome {
        let tag = IncarnationTag(stream: stream.name, source: reply.source, incarnation: reply.incarnation)
        let isTwin = stream.incarnation?.tag != tag && takesTwin(tag, on: path, of: stream, at: now)
        path.accept(tag, backlogEnd: isTwin ? 0 : reply.highest.rawValue)
        if isTwin { return .twins(tag, path, stream) }
        if let current = stream.incarnation {
            if current.tag == tag { return .continues(path, stream) }
            // A parent that has changed too, and is asked again later, carries the current incarnation no longer.
            let others = stream.paths.all.contains { $0 !== path && $0.state == .live && $0.carries(current.tag) }
            if others, now - stream.arrivals.lastArrival < .seconds(1) {
                // Another path still carries the current incarnation; this parent is asked again soon.
                path.postpone(until: now + .seconds(1))
                core.clock.schedule(stream, path.nextTry)
                return .settled
            }
        }
        if path.isDeferred || path.twin != nil {
            // The first packets of that incarnation were not kept and are lost here, so the node subscribes again. This
            // takes no token for a source change: otherwise a token bucket that was once empty would stay empty, and
            // the stream would not come back.
            removePath(path, of: stream, at: now, &core)
            join(path.candidate, stream, at: now, &core)
            return .settled
        }
        if stream.incarnation != nil, !stream.sourceChanges.take(at: now) {
            // Each change restarts all children, so a parent that names another source each time gets at most two
            // changes a second on average.
            path.postpone(until: now + .milliseconds(500))
            core.clock.schedule(stream, path.nextTry)
            return .settled
        }
        if resumePast(tag, reply, path, of: stream, at: now, &core) { return .settled }
        return .begins(tag, path, stream)
    }

    /// If an edge has received this incarnation before, the parent would start with packets that were already
    /// delivered. So the edge subscribes again, from the number at which it left the incarnation. True if it did.
    private mutating func resumePast(
        _ tag: IncarnationTag, _ reply: SubscribeReply, _ path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        guard isEdge, let past = stream.deliveries.place(in: tag),
            past > reply.oldest.rawValue, stream.sourceChanges.returnTo?.tag != tag, path.link.isAlive
        else {
            stream.sourceChanges.noteReturn(to: nil)
            return false
        }
        stream.sourceChanges.noteReturn(to: past > 0 ? (tag, past) : nil)
        removePath(path, of: stream, at: now, &core)
        join(path.candidate, stream, at: now, &core)
        return true
    }

    /// A parent ends a subscription: the stream was withdrawn there, or our lease expired.
    mutating func onSubscriptionEnd(
        _ subscription: UInt32, _ reason: SubscriptionEndReason, on link: ParentLink, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard let (path, stream) = path(of: subscription, on: link, core) else { return }
        core.release(path, of: stream)
        stream.paths.remove(path)
        link.removeSubscription(subscription)
        if reason != .leaseExpired { stream.candidates.noteRefusal(by: path.candidate.endpoint, at: now) }
        tendTwins(of: stream, at: now, &core)
        choosePaths(for: stream, at: now, &core)
    }

    /// The path to which a parent's message refers.
    private func path(
        of subscription: UInt32, on link: ParentLink, _ core: borrowing NodeCore
    ) -> (StreamPath, StreamState)? {
        guard let slot = link.subscriptions[subscription], let stream = core.streams[slot],
            let path = stream.paths.path(on: link), path.subscription == subscription
        else { return nil }
        return (path, stream)
    }
}
