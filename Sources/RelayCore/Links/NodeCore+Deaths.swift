import ReflectorModel
import RelayWire

/// Finds out that the process at the other end of a link is dead before its silence proves it (`DeathEvidence`): a link
/// is asked a question after half of the time until it counts as silent, and the peer's host may refuse the question.
extension NodeCore {
    /// The links to and from the process whose host has refused a datagram of ours. None if the datagram was not sent on
    /// one of them: then the refusal is forged, or about a link that has ended.
    mutating func refusedLinks(_ destination: Endpoint, quoted: UnsafeRawBufferPointer) -> (ParentLink?, ChildLink?) {
        let parent = links.parent(at: destination).flatMap { $0.isAlive && $0.remote == destination ? $0 : nil }
        let child = links.child(at: destination)
        guard let token = QuotedDatagram.token(quoted), token == parent?.parentToken || token == child?.token
        else {
            context.count(.portsUnreachableUnknown)
            return (nil, nil)
        }
        context.count(.portsUnreachable)
        return (parent, child)
    }

    /// The host of a link's peer has refused a datagram.
    mutating func noteRefusal(of link: some DoubtedLink, at now: MonotonicInstant) -> DeathEvidence.Step {
        let (heard, patience) = (heardAt(link.lastReceived), link.roundTrip.answerPatience)
        let step = link.death.noteRefusal(heardAt: heard, patience: patience, at: now)
        if let next = link.death.nextStep { link.wake(by: &clock, at: next) }
        return count(step, isRefuted: link.death.takeRefuted())
    }

    /// A link's timer has fired: looks at the evidence, asks the first question once half of the time has passed, and
    /// sets the timer again.
    ///
    /// - Parameter deadline: when the peer's silence proves that it is dead.
    mutating func tendDeath(
        of link: some DoubtedLink, until deadline: MonotonicInstant, at now: MonotonicInstant
    ) -> DeathEvidence.Step {
        let (step, next) = link.death.tend(
            heardAt: heardAt(link.lastReceived), until: deadline, patience: link.roundTrip.answerPatience, at: now)
        link.wake(by: &clock, at: next)
        return count(step, isRefuted: link.death.takeRefuted())
    }

    /// When the peer was last heard, or when this node could last have heard it.
    private func heardAt(_ lastReceived: MonotonicInstant) -> MonotonicInstant {
        max(lastReceived, clock.judgeSilenceFrom)
    }

    private mutating func count(_ step: DeathEvidence.Step?, isRefuted: Bool) -> DeathEvidence.Step {
        if isRefuted { context.count(.deathsRefuted) }
        switch step {
        case nil: context.count(.portsUnreachableIgnored)
        case .nothing: break
        case .ask: context.count(.deathQuestionsSent)
        case .dead: context.count(.deathsByRefusal)
        }
        return step ?? .nothing
    }
}

/// A link whose peer may be dead.
protocol DoubtedLink: AnyObject {
    var death: DeathEvidence { get set }
    var lastReceived: MonotonicInstant { get }
    var roundTrip: RoundTrip { get }
    /// Sets the link's timer.
    func wake(by clock: inout NodeClock, at: MonotonicInstant)
}

extension ParentLink: DoubtedLink {
    func wake(by clock: inout NodeClock, at: MonotonicInstant) { clock.schedule(self, at) }
}

extension ChildLink: DoubtedLink {
    func wake(by clock: inout NodeClock, at: MonotonicInstant) { clock.schedule(self, at) }
}
