import ReflectorModel
import RelayWire

/// What a node asks of its shell. Returned by `nextAction()` in order.
public enum RelayAction: Sendable, Equatable {
    /// Ask the name servers; the shell answers with `lookUpFinished`.
    case lookUp(ReflectorName)
    /// An answer to keep in the state file as the last good one.
    case remember(ReflectorName, LookUpAnswer)
    /// A stream that viewers want cannot be had now; the node goes on trying.
    case unavailable(StreamName, UnavailableReason)
    /// The entrypoint's encoder is to be cut into payloads of this many bytes at most.
    case limitPayload(StreamName, bytes: Int)
    /// Something a person should know.
    case alarm(RelayAlarm)
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
    /// Hosts of an answer that have addresses of the other family only.
    case noCommonFamily(ReflectorName, hosts: [String], own: [IPAddress])
    /// A host did not answer at the address that comes first.
    case otherAddress(peer: String, silent: Endpoint, used: Endpoint)
    /// The path to a child does not carry usual packets: streams reach it with smaller ones. `payload` is nil if it does
    /// not carry the smaller ones either.
    case pathTooSmall(peer: String, Endpoint, payload: Int?)
    /// It does again.
    case pathIsWide(peer: String, Endpoint)
    /// Something on the way to a viewer does not carry usual packets: the entrypoint makes smaller ones.
    case payloadLowered(StreamName, bytes: Int)
    case payloadRaised(StreamName, bytes: Int)
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
        case .parentChanged(let stream, let from, let to):
            "\(stream): parent changes from \(from) to \(to)"
        case .sourceChanged(let stream, let source): "\(stream): now from source \(source)"
        case .loopRefused(let stream): "\(stream): subscription would make a loop, refused"
        case .linkLossy(let peer, let endpoint):
            "link to \(peer) (\(endpoint)) has long lost over 20 %: no extra paths on it"
        case .noCommonFamily(let name, let hosts, let own):
            "\(name): \(hosts.joined(separator: ", ")) can't be reached: no address of a family that this node has "
                + "(\(Self.families(own))); give them, or this node, an address of the other family in the zone"
        case .otherAddress(let peer, let silent, let used):
            "\(peer) does not answer at \(silent): using \(used); check the route and the firewalls between here and there"
        case .pathTooSmall(let peer, let endpoint, let payload?):
            "the path to \(peer) (\(endpoint)) does not carry datagrams of "
                + "\(WireLimits.payloadUsual + WireLimits.dataOverhead) bytes (MTU too small, as of a tunnel): streams go "
                + "to it with payloads of \(payload) bytes, to which their entrypoints are asked to change"
        case .pathTooSmall(let peer, let endpoint, nil):
            "the path to \(peer) (\(endpoint)) does not even carry datagrams of "
                + "\(WireLimits.payloadOfSmallPath + WireLimits.dataOverhead) bytes: raise its MTU to 1280 or more"
        case .pathIsWide(let peer, let endpoint):
            "the path to \(peer) (\(endpoint)) carries packets of usual size again"
        case .payloadLowered(let stream, let bytes):
            "\(stream): payloads of \(bytes) bytes from now on, as a path further on has a small MTU (the log of the "
                + "reflector before it names it)"
        case .payloadRaised(let stream, let bytes): "\(stream): payloads of \(bytes) bytes again"
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

    private static func families(_ own: [IPAddress]) -> String {
        let (v4, v6) = (own.contains { $0.isV4 }, own.contains { !$0.isV4 })
        return v4 && v6 ? "IPv4 and IPv6" : v4 ? "IPv4" : "IPv6"
    }
}

/// Where an edge hands its streams: in order, nothing twice per (source, incarnation). Called synchronously from
/// `receive` and `handleTimeout`; `payload` is valid only during the call.
public protocol StreamSink: AnyObject {
    /// - Parameter slot: a small number, the same for all packets of this stream until it ends here, so that the receiver
    ///   needs no look-up by name for each packet. Later another stream may have the slot.
    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant)
    /// `lost` packets were given up, or (0) another source or incarnation follows.
    func discontinuity(stream: StreamName, lost: UInt64)
    func ended(stream: StreamName)
}
