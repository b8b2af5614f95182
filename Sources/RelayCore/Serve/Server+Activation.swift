import ReflectorModel
import RelayWire

/// The number from which a child is served. A child that needs older packets than are held here is served after they
/// have been requested upstream: `beginning` chooses the number, the node requests the packets, and `start` begins to
/// serve the child.
extension Server {
    /// Where a child begins.
    enum Beginning {
        case at(UInt64)
        /// At a number below the oldest one held, if the packets between can be requested upstream.
        case below(wanted: UInt64, oldest: UInt64)
    }

    /// A child that resumes from another source gets at most this much of the new source's past.
    private static var spliceSpanMax: TimeSpan { .seconds(2) }
    /// That past is this much longer than the child has been without packets, because the new source may be ahead of
    /// the previous one. Viewers wait for all of it, so it is short.
    private static var spliceMargin: TimeSpan { .milliseconds(500) }

    /// True once this node knows what it would send: the stream is provided here, or a parent has accepted us.
    func canServe(_ stream: StreamState) -> Bool {
        guard let incarnation = stream.incarnation else { return false }
        return stream.origin != nil || incarnation.start != 0 || !incarnation.index.isEmpty || stream.paths.hasLive
    }

    /// The pending children to start now; none if the stream cannot be served yet.
    func waiting(for stream: StreamState) -> [ChildSubscription] {
        guard canServe(stream) else { return [] }
        return stream.children.filter { $0.state == .pending }
    }

    /// The incarnation has changed, or was rewound to lower numbers: all children start again with a preburst.
    func restart(_ stream: StreamState) {
        for subscription in stream.children { subscription.restart(of: stream) }
    }

    /// Decides from which number a child is served. Nil if it is no longer known what to send.
    func beginning(
        of subscription: ChildSubscription, of stream: StreamState, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Beginning? {
        guard let incarnation = stream.incarnation else { return nil }
        let oldest = oldestHeld(of: incarnation, at: now, &core)
        let next = Self.next(of: incarnation)
        switch subscription.start {
        case .live: return .at(next)
        case .preburst: return .at(preburstStart(of: incarnation, from: oldest, at: now, &core))
        case .resume(let tag, let sequence):
            if tag != incarnation.tag {
                // The new source continues about where the previous one stopped, so a whole ring is not needed.
                subscription.beginSplice()
                let span = subscription.silentSince.map { min(now - $0 + Self.spliceMargin, Self.spliceSpanMax) }
                return .at(oldestHeld(of: incarnation, span: span ?? Self.spliceSpanMax, at: now, &core))
            }
            return sequence.rawValue >= oldest
                ? .at(min(sequence.rawValue, next)) : .below(wanted: sequence.rawValue, oldest: oldest)
        }
    }

    /// Begins to serve a child from a number on, and tells the child.
    func start(
        _ subscription: ChildSubscription, of stream: StreamState, from: UInt64, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard let incarnation = stream.incarnation else { return }
        let isPast = from < Self.next(of: incarnation) && !incarnation.index.isEmpty
        if isPast || subscription.start != .live && stream.isFilling(at: now) {
            subscription.serve(.backlog(cursor: from), from: from, of: stream)
            let hasBurst = subscription.link.takeBurst(at: now)
            subscription.beginBacklog(burst: hasBurst ? core.configuration.burstMax : 0, at: now)
            core.pump(subscription.link, at: now)
        } else {
            subscription.serve(.live, from: from, of: stream)
        }
        answer(subscription, at: now, &core)
    }

    /// The number after the newest one.
    private static func next(of incarnation: IncarnationState) -> UInt64 {
        incarnation.index.isEmpty ? max(incarnation.start, 1) : incarnation.index.highest + 1
    }

    /// The lowest number whose packet is held and not older than the ring, nor older than `span` if it is given. The
    /// next number if there is no such packet.
    private func oldestHeld(
        of incarnation: IncarnationState, span: TimeSpan? = nil, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> UInt64 {
        guard !incarnation.index.isEmpty else { return max(incarnation.start, 1) }
        let oldest = incarnation.trim(core.log, horizon: now - core.configuration.ringSpan)
        guard let span else { return oldest }
        var sequence = incarnation.index.highest + 1
        core.context.noteWork(sequence - oldest)
        while sequence > oldest {
            if let slot = incarnation.index.slot(sequence - 1, in: core.log), core.log[slot].arrival < now - span {
                break
            }
            sequence -= 1
        }
        return sequence
    }

    /// Where a preburst begins: after the packets that a full log is about to overwrite. If one of those were lost, it
    /// could not be sent again, and the child would miss what it was promised.
    private func preburstStart(
        of incarnation: IncarnationState, from oldest: UInt64, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> UInt64 {
        guard let reach = core.log.reach(at: now) else { return oldest }
        let horizon = now - (reach - min(reach / 4, core.configuration.playOutDeadline))
        var sequence = oldest
        while sequence <= incarnation.index.highest {
            if let slot = incarnation.index.slot(sequence, in: core.log), core.log[slot].arrival >= horizon { break }
            sequence += 1
            core.context.noteWork()
        }
        return sequence
    }
}
