import ReflectorModel
import RelayWire

/// Streams that encoders may push to this entrypoint while another one leads them.
extension RelayNode {
    /// An encoder wants to push the stream. Announces that this entrypoint could provide it, so that the witnesses
    /// report who leads it; nothing is pulled.
    ///
    /// - Parameter answer: the stream's candidates in the zone.
    /// - Returns: true if the witnesses have been asked only now: their reports are under way.
    public func expectPush(of name: StreamName, _ answer: LookUpAnswer, at now: MonotonicInstant) -> Bool {
        guard let portset = answer.portset, core.streams[name]?.origin == nil,
            origin?.offers.contains(where: { $0.stream == name }) == false
        else { return false }
        origin?.offer(name)
        origin?.learnPortset(portset, ofOffer: name, at: now, &core)
        return true
    }

    /// No push of the stream is expected any more.
    public func withdrawPush(of name: StreamName, at now: MonotonicInstant) {
        guard election.candidacy?.offers.contains(name) != true else { return }
        origin?.withdrawOffer(name, at: now, &core)
    }

    /// Who leads a stream, by the witnesses' reports and an answer of the zone that the node itself need not know.
    public func leadership(of name: StreamName, in answer: LookUpAnswer, at now: MonotonicInstant) -> Leadership {
        guard let candidacy = election.candidacy else { return Leadership(isLeader: true, leader: nil, rank: nil) }
        return candidacy.leadership(of: name, answer, targets: origin?.targets.count ?? 0, at: now, core)
    }
}
