import ReflectorModel
import RelayWire

/// The number from which a child is served. A child that needs older packets than are held here is served after they
/// have been requested upstream: `beginning` decides, the node requests the packets, and `start` begins.
extension Server {
    /// Where a child begins.
    enum Beginning {
        case at(UInt64)
        /// At a number below the oldest one held, if the packets between can be requested upstream.
        case below(wanted: UInt64, oldest: UInt64)
    }

    /// A child that changes its source gets this much of the new source's past, because it may have been without
    /// packets for this long.
    private static var spliceSpan: TimeSpan { .seconds(2) }

    /// True once this node knows what it would send: the stream is provided here, or a parent has accepted us.
    func canServe(_ stream: StreamState) -> Bool {
        guard let incarnation = stream.incarnation else { return false }
        return stream.origin != nil || incarnation.start != 0 || !incarnation.index.isEmpty || stream.paths.hasLive
    }

    /// The children to start now that the stream can be served.
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
                // A new source continues about where the previous one stopped, not a whole ring earlier.
                return .at(oldestHeld(of: incarnation, span: Self.spliceSpan, at: now, &core))
            }
            return sequence.rawValue >= oldest
                ? .at(min(sequence.rawValue, next)) : .below(wanted: sequence.rawValue, oldest: oldest)
        }
    }

    /// Serves a child from a number on, and tells it so.
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

    /// The lowest number that is still held and not older than the ring, or than `span` if that is shorter; the next
    /// number if none is.
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

    /// Where a preburst begins. A packet that a full log is about to overwrite could not be sent again if it were lost,
    /// and the child would miss what it was promised.
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
