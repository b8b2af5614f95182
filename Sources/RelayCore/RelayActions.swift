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
    /// A node that is none of the stream's candidate entrypoints, by name and address, announces it.
    case announcementRefused(StreamName, by: String, Endpoint)
    /// An entrypoint announces more streams than are taken from one, or than there is room for.
    case announcementsFull(by: String, Endpoint)
    /// A child says another portset of a stream than the zone; the zone is followed.
    case portsetCorrected(StreamName, claimed: PortsetID, zone: PortsetID, by: String, Endpoint)
    /// A node claims to be what the zone says that it is not.
    case identityRefused(IdentityConflict)
    /// A parent refuses this node for what it claims to be.
    case identityRefusedByPeer(peer: String, Endpoint)
    /// Another node answers where the zone has this one.
    case parentMistaken(expected: String, found: String, Endpoint)
    /// Children or viewers ask for more streams than there is room for.
    case streamsFull

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
        case .announcementRefused(let stream, let peer, let endpoint):
            "\(peer) (\(endpoint)) announces \(stream), but the zone does not name it there as a candidate: not taken; "
                + "add it to the stream's entrypoints=, correct its address, or find out who uses its key file"
        case .announcementsFull(let peer, let endpoint):
            "\(peer) (\(endpoint)) announces more streams than there is room for: the rest is not taken"
        case .portsetCorrected(let stream, let claimed, let zone, let peer, let endpoint):
            "\(peer) (\(endpoint)) asks for \(stream) as of \(claimed), but the zone says \(zone): the zone is followed"
        case .identityRefused(let conflict): "\(conflict)"
        case .identityRefusedByPeer(let peer, let endpoint):
            "\(peer) (\(endpoint)) refuses this node: the zone says otherwise of its name, role, region or address; "
                + "compare them with the records of its name below 'nodes' in the zone"
        case .parentMistaken(let expected, let found, let endpoint):
            "\(found) answers at \(endpoint), where the zone has \(expected): it is not asked for streams; start it as "
                + "\(expected), or correct the addresses in the zone"
        case .streamsFull:
            "more streams are asked for than this node holds: those that carry nothing yet go first"
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
