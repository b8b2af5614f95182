import ReflectorModel

/// Which timer is due. `NodeClock` keeps the timers, and the links and streams know which of them are still valid.
extension NodeCore {
    /// A timer that is due.
    enum Due {
        case parentLink(ParentLink)
        case childLink(ChildLink)
        case stream(StreamState)
        case node
        case requests
        case opens
        case election
        case region
    }

    /// When the node must be called again if nothing arrives before.
    var nextTimeout: MonotonicInstant { mutating get { min(nextTimer(), egress.flushAt) } }

    /// Called before anything is read after a wake-up, and before timers run.
    mutating func noteWakeUp(at now: MonotonicInstant) { clock.noteWakeUp(dueAt: nextTimer(), at: now) }

    /// Called before timers run: counts a late wake-up. True if this node slept for so long that its parents have forgotten
    /// it.
    mutating func endCatchingUp(at now: MonotonicInstant) -> Bool {
        noteWakeUp(at: now)
        guard clock.endCatchingUp(at: now) else { return false }
        context.count(.lateWakeups)
        return clock.sleep.length >= configuration.lease
    }

    /// Whether a message that is read now may have waited in the socket while this node slept. Its timestamps then
    /// measure the sleep, not the path. Messages are read before timers run, so the timers are checked too.
    mutating func mayBeStale(at now: MonotonicInstant) -> Bool {
        noteWakeUp(at: now)
        return clock.isCatchingUp || now < clock.judgeSilenceFrom
    }

    /// Removes and returns the next timer that is due. Nil if there is none.
    mutating func takeDue(at now: MonotonicInstant) -> Due? {
        while let (owner, at) = clock.popDue(at: now) {
            switch owner {
            case .parentLink(let slot):
                guard let link = links.parents[slot], link.wakeup.take(at) else { continue }
                return .parentLink(link)
            case .childLink(let slot):
                guard let link = links.children[slot], link.wakeup.take(at) else { continue }
                return .childLink(link)
            case .stream(let slot):
                guard let stream = streams[slot], stream.wakeup.take(at) else { continue }
                return .stream(stream)
            case .node:
                guard clock.takeNode(at) else { continue }
                return .node
            case .requests:
                guard clock.takeRequests(at) else { continue }
                return .requests
            case .opens:
                guard clock.takeOpens(at) else { continue }
                return .opens
            case .election:
                guard clock.takeElection(at) else { continue }
                return .election
            case .region:
                guard clock.takeRegion(at) else { continue }
                return .region
            }
        }
        return nil
    }

    /// When the soonest valid timer is due; `.distantFuture` if there is none.
    private mutating func nextTimer() -> MonotonicInstant {
        // Stale timers are dropped, so that nobody wakes for them.
        while let (owner, at) = clock.first {
            if isValid(owner, at) { return at }
            clock.removeFirst()
        }
        return .distantFuture
    }

    @inline(__always)
    private func isValid(_ owner: TimerOwner, _ at: MonotonicInstant) -> Bool {
        switch owner {
        case .parentLink(let slot): links.parents[slot]?.wakeup.at == at
        case .childLink(let slot): links.children[slot]?.wakeup.at == at
        case .stream(let slot): streams[slot]?.wakeup.at == at
        case .node: clock.node.at == at
        case .requests: clock.requests.at == at
        case .opens: clock.opens.at == at
        case .election: clock.election.at == at
        case .region: clock.region.at == at
        }
    }
}
