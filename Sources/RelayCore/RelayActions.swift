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

/// Why there is no room for a link of a child.
public enum LinkRefusal: Sendable, Equatable {
    case tableFull
    case addressFull

    /// What is full, and what to do.
    var text: String {
        switch self {
        case .tableFull:
            "all links that this node may have fetch streams; spread the children over more set reflectors, or, if these "
                + "are no nodes of yours, block their addresses and roll the network key"
        case .addressFull:
            "all links that one address may have fetch streams; if these are no nodes of yours, block the address and "
                + "roll the network key"
        }
    }
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
    /// So many links were refused since the last alarm, the newest from there.
    case linksRefused(LinkRefusal, count: UInt64, peer: String, Endpoint)
    /// So many links without use were closed since the last alarm to make room, the newest of this node.
    case linksEvicted(count: UInt64, peer: String, Endpoint)
    /// A child sends more control messages than any needs: so many were dropped since the last alarm.
    case controlFlood(count: UInt64, peer: String, Endpoint)

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
        case .linksRefused(let reason, let count, let peer, let endpoint):
            "\(count) links refused, the newest of \(peer) (\(endpoint)): \(reason.text)"
        case .linksEvicted(let count, let peer, let endpoint):
            "\(count) links on which nothing was fetched closed to make room, the newest of \(peer) (\(endpoint)); if these "
                + "are no nodes of yours, block their address and roll the network key"
        case .controlFlood(let count, let peer, let endpoint):
            "\(count) control messages dropped, the newest of \(peer) (\(endpoint)), which sends more than any node needs; "
                + "stop it, or block its address and roll the network key"
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
