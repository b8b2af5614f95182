import ReflectorModel

/// What a node asks of its shell. Returned by `nextAction()` in order.
public enum RelayAction: Sendable, Equatable {
    /// Ask the name servers; the shell answers with `lookUpFinished`.
    case lookUp(ReflectorName)
    /// An answer to keep in the state file as the last good one.
    case remember(ReflectorName, LookUpAnswer)
    /// A stream that viewers want cannot be had now; the node goes on trying.
    case unavailable(StreamName, UnavailableReason)
    /// Something a person should know.
    case alarm(RelayAlarm)
}

public enum UnavailableReason: String, Sendable {
    case noSuchStream = "no such stream in the zone"
    case noParents = "no parent is known"
    /// `map … none`: the zone says that there shall be none.
    case parentsTakenAway = "the zone takes its parents away"
    case refused = "no parent carries it"
}

public enum RelayAlarm: Sendable, Equatable, CustomStringConvertible {
    /// A name that used to answer says NXDOMAIN or NODATA; the old parents are kept (design §4).
    case parentsKept(ReflectorName)
    case linkDied(peer: String, Endpoint)
    /// It is about to stop; what is fetched from it moves before it does.
    case parentLeaves(peer: String, Endpoint)
    case parentChanged(StreamName, from: String, to: String)
    case sourceChanged(StreamName, source: NodeID)
    case loopRefused(StreamName)
    /// A link to a parent has lost more than a fifth for ten seconds: it carries no extra path of a stream.
    case linkLossy(peer: String, Endpoint)
    /// A link to a child has done so for twenty: it begins no stream.
    case childRefusedStreams(peer: String, Endpoint)

    public var description: String {
        switch self {
        case .parentsKept(let name): "\(name) no longer answers; keeping the last good parents"
        case .linkDied(let peer, let endpoint): "link to \(peer) (\(endpoint)) is dead"
        case .parentLeaves(let peer, let endpoint): "\(peer) (\(endpoint)) is about to stop"
        case .parentChanged(let stream, let from, let to): "\(stream): parent changes from \(from) to \(to)"
        case .sourceChanged(let stream, let source): "\(stream): now from source \(source)"
        case .loopRefused(let stream): "\(stream): subscription would make a loop, refused"
        case .linkLossy(let peer, let endpoint):
            "link to \(peer) (\(endpoint)) has long lost over 20 %: no extra paths on it"
        case .childRefusedStreams(let peer, let endpoint):
            "link to \(peer) (\(endpoint)) has long lost over 20 %: no new streams on it"
        }
    }
}

/// Where an edge hands its streams: in order, nothing twice per (source, incarnation). Called synchronously from
/// `receive` and `handleTimeout`; `payload` is valid only during the call.
public protocol StreamSink: AnyObject {
    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, at now: MonotonicInstant)
    /// `lost` packets were given up, or (0) another source or incarnation follows.
    func discontinuity(stream: StreamName, lost: UInt64)
    func ended(stream: StreamName)
}
