import NodeIdentity
import ReflectorModel
import RelayWire

/// Requests of a node to its shell. Returned by `nextAction()` in order.
public enum RelayAction: Sendable, Equatable {
    /// Look up the name; the shell answers with `lookUpFinished`.
    case lookUp(ReflectorName)
    /// Save an answer in the state file as the last good one.
    case remember(ReflectorName, LookUpAnswer)
    /// A stream that viewers want is unavailable now. The node keeps trying, unless it has no room for the stream.
    case unavailable(StreamName, UnavailableReason)
    /// The entrypoint's encoder output must be cut into payloads of at most this many bytes.
    case limitPayload(StreamName, bytes: Int)
    /// Pull the stream from its encoder, or stop pulling it.
    case pull(StreamName, isWanted: Bool)
    /// Receive a multicast group of the LAN, or no longer receive it.
    case joinGroup(Endpoint)
    case leaveGroup(Endpoint)
    /// Something that an operator should know.
    case alarm(RelayAlarm)
}

/// Why there is no room for a link of a child.
public enum LinkRefusal: Sendable, Equatable {
    case tableFull
    case addressFull

    /// What is full, and what to do about it.
    var text: String {
        switch self {
        case .tableFull:
            "all links that this node may have are fetching streams; spread the children over more set reflectors or, "
                + "if these nodes are not yours, block their addresses and revoke their certificates"
        case .addressFull:
            "all links that one address may have are fetching streams; if these nodes are not yours, block the address "
                + "and revoke their certificates"
        }
    }
}

public enum RelayAlarm: Sendable, Equatable, CustomStringConvertible {
    /// A name that used to resolve returns NXDOMAIN or NODATA; the old parents are kept (design §4).
    case parentsKept(ReflectorName)
    case linkDied(peer: String, Endpoint)
    /// A parent is about to stop; each stream fetched from it moves to another parent first, if there is one.
    case parentLeaves(peer: String, Endpoint)
    case parentChanged(StreamName, from: String, to: String)
    case sourceChanged(StreamName, source: NodeID)
    /// Another entrypoint leads a stream, or nobody does.
    case leaderChanged(StreamName, to: String?, cause: String)
    /// Two entrypoints of a hot stream forward different bytes.
    case feedsDiffer(StreamName, String, String)
    case loopRefused(StreamName)
    /// A member of the region reports; it did not before.
    case memberFound(String, Endpoint)
    case memberLost(String, Endpoint, RegionLoss)
    /// This node hears no other member of its region any more, or hears one again.
    case regionAlone(Bool)
    /// A link to a parent has lost more than a fifth of its packets for ten seconds: it carries no extra paths.
    case linkLossy(peer: String, Endpoint)
    /// An answer names hosts that have no address of a family that this node has.
    case noCommonFamily(ReflectorName, hosts: [String], own: [IPAddress])
    /// A host did not answer at its first address.
    case otherAddress(peer: String, silent: Endpoint, used: Endpoint)
    /// The path to a child does not carry packets of usual size: streams are sent to it in smaller ones. `payload` is
    /// nil if it does not carry the smaller ones either.
    case pathTooSmall(peer: String, Endpoint, payload: Int?)
    /// The path carries packets of usual size again.
    case pathIsWide(peer: String, Endpoint)
    /// Part of the path to a viewer does not carry packets of usual size: the entrypoint makes smaller ones.
    case payloadLowered(StreamName, bytes: Int)
    case payloadRaised(StreamName, bytes: Int)
    /// A link to a child has lost more than a fifth of its packets for twenty seconds: no stream starts on it.
    case childRefusedStreams(peer: String, Endpoint)
    /// A node announces a stream, but its name and address match none of the stream's candidate entrypoints.
    case announcementRefused(StreamName, by: String, Endpoint)
    /// An entrypoint announces more streams than are allowed per entrypoint, or than there is room for.
    case announcementsFull(by: String, Endpoint)
    /// A child claims a portset for a stream that is not the one in the zone; the zone is followed.
    case portsetCorrected(StreamName, claimed: PortsetID, zone: PortsetID, by: String, Endpoint)
    /// A node claims an identity that contradicts the zone.
    case identityRefused(IdentityConflict)
    /// A parent refuses a link from this node.
    case refusedByPeer(peer: String, HandshakeRefusal, Endpoint)
    /// Another node answers at the address that the zone gives to this parent.
    case parentMistaken(expected: String, Endpoint)
    /// A parent has a certificate that is not valid here.
    case parentRefused(peer: String, Validity, Endpoint)
    /// A parent has a role that does not serve children, or accept announcements.
    case parentUnfit(peer: String, CertifiedRole, Endpoint)
    /// An entrypoint names another node as the source of a stream.
    case foreignSource(peer: String, Endpoint)
    /// This many children were refused for their certificates since the last alarm; the newest was at this address.
    case certificateRefused(HandshakeRefusal, count: UInt64, Endpoint)
    /// A child tried, so many times since the last alarm, what its certificate does not allow.
    case powerExceeded(peer: String, CertifiedRole, RelayPower, count: UInt64, Endpoint)
    /// The peer's certificate has expired or was revoked: its link is closed.
    case peerDistrusted(peer: String, Validity, Endpoint)
    /// Children or viewers request more streams than there is room for.
    case streamsFull
    /// This many links were refused since the last alarm; the newest came from this peer.
    case linksRefused(LinkRefusal, count: UInt64, peer: String, Endpoint)
    /// This many idle links were closed to make room since the last alarm; the latest was a link from this peer.
    case linksEvicted(count: UInt64, peer: String, Endpoint)
    /// A child sends more control messages than any node needs: this many were dropped since the last alarm.
    case controlFlood(count: UInt64, peer: String, Endpoint)

    public var description: String {
        switch self {
        case .parentsKept(let name): "\(name) no longer answers; keeping the last good parents"
        case .linkDied(let peer, let endpoint): "link to \(peer) (\(endpoint)) is dead"
        case .parentLeaves(let peer, let endpoint): "\(peer) (\(endpoint)) is about to stop"
        case .parentChanged(let stream, let from, let to):
            "\(stream): parent changes from \(from) to \(to)"
        case .sourceChanged(let stream, let source): "\(stream): now from source \(source)"
        case .leaderChanged(let stream, let leader?, let cause): "\(stream): \(leader) leads now: \(cause)"
        case .leaderChanged(let stream, nil, _):
            "\(stream): no entrypoint leads it any more: the leader or its encoder is lost, and no other one has it"
        case .feedsDiffer(let stream, let one, let other):
            "\(stream): the feeds of \(one) and \(other) are not byte-identical: handled as warm standby; send the output of "
                + "one encoder to both (ffmpeg's tee), or say standby=warm"
        case .memberFound(let name, let endpoint): "\(name) (\(endpoint)) is a member of the region now"
        case .memberLost(let name, let endpoint, let cause):
            "\(name) (\(endpoint)), a member of the region, is lost: \(cause.rawValue)"
        case .regionAlone(true):
            "no other member of the region is heard: this node fetches every stream for itself"
        case .regionAlone(false): "other members of the region are heard: one of them fetches each stream for all"
        case .loopRefused(let stream): "\(stream): subscription would cause a loop, refused"
        case .linkLossy(let peer, let endpoint):
            "link to \(peer) (\(endpoint)) has lost over 20 % for 10 s: no extra paths on it"
        case .noCommonFamily(let name, let hosts, let own):
            "\(name): \(hosts.joined(separator: ", ")) can't be reached: no address of a family that this node has "
                + "(\(Self.families(own))); give them, or this node, an address of the other family in the zone"
        case .otherAddress(let peer, let silent, let used):
            "\(peer) does not answer at \(silent): using \(used); check the route and the firewalls between here and "
                + "there"
        case .pathTooSmall(let peer, let endpoint, let payload?):
            "the path to \(peer) (\(endpoint)) does not carry datagrams of "
                + "\(WireLimits.payloadUsual + WireLimits.dataOverhead) bytes (its MTU is too small, for "
                + "example because of a tunnel): the entrypoints of its streams are asked for payloads of \(payload) "
                + "bytes"
        case .pathTooSmall(let peer, let endpoint, nil):
            "the path to \(peer) (\(endpoint)) does not even carry datagrams of "
                + "\(WireLimits.payloadOfSmallPath + WireLimits.dataOverhead) bytes: raise its MTU to 1280 or more"
        case .pathIsWide(let peer, let endpoint):
            "the path to \(peer) (\(endpoint)) carries packets of usual size again"
        case .payloadLowered(let stream, let bytes):
            "\(stream): payloads of \(bytes) bytes from now on, because a path further down has a small MTU (the "
                + "reflector before that path logs which one)"
        case .payloadRaised(let stream, let bytes): "\(stream): payloads of \(bytes) bytes again"
        case .childRefusedStreams(let peer, let endpoint):
            "link to \(peer) (\(endpoint)) has lost over 20 % for 20 s: no new streams on it"
        case .announcementRefused(let stream, let peer, let endpoint):
            "\(peer) (\(endpoint)) announces \(stream), but the zone does not name it there as a candidate: ignored; "
                + "add it to the stream's entrypoints=, correct its address, or find out who uses its key"
        case .announcementsFull(let peer, let endpoint):
            "\(peer) (\(endpoint)) announces more streams than there is room for: its new list is dropped"
        case .portsetCorrected(let stream, let claimed, let zone, let peer, let endpoint):
            "\(peer) (\(endpoint)) claims portset \(claimed) for \(stream), but the zone says \(zone): "
                + "the zone is followed"
        case .identityRefused(let conflict): "\(conflict)"
        case .refusedByPeer(let peer, let reason, let endpoint):
            "\(peer) (\(endpoint)) refuses this node: \(reason.advice)"
        case .parentMistaken(let expected, let endpoint):
            "the node at \(endpoint) is not \(expected), which the zone has there: no streams are fetched from it; "
                + "start \(expected) there, or correct the addresses in the zone"
        case .parentRefused(let peer, let validity, let endpoint):
            "\(peer) (\(endpoint)) is not believed: \(validity.text); no link to it"
        case .parentUnfit(let peer, let role, let endpoint):
            "\(peer) (\(endpoint)) is certified as \(role), which can't be what the zone says; correct the zone, or sign "
                + "another certificate for it"
        case .foreignSource(let peer, let endpoint):
            "\(peer) (\(endpoint)) names another node as the source of a stream, which an entrypoint can't be trusted "
                + "with: its reply is ignored; find out who uses its key, and revoke it"
        case .certificateRefused(let reason, let count, let endpoint):
            "\(count) links refused, the latest from \(endpoint): \(reason.cause)"
        case .powerExceeded(let peer, let role, let power, let count, let endpoint):
            "\(peer) (\(endpoint)), certified as \(role), tried \(count) times to \(power.text): refused; if it should, sign "
                + "another certificate for it; if it should not, find out who uses its key and revoke it"
        case .peerDistrusted(let peer, let validity, let endpoint):
            "link to \(peer) (\(endpoint)) closed: \(validity.text)"
        case .streamsFull:
            "more streams are requested than this node can hold: streams without data are evicted first"
        case .linksRefused(let reason, let count, let peer, let endpoint):
            "\(count) links refused, the latest from \(peer) (\(endpoint)): \(reason.text)"
        case .linksEvicted(let count, let peer, let endpoint):
            "\(count) idle links closed to make room, the latest from \(peer) (\(endpoint)); if these nodes are not "
                + "yours, block their address and revoke their certificates"
        case .controlFlood(let count, let peer, let endpoint):
            "\(count) control messages dropped, the latest from \(peer) (\(endpoint)), which sends more than any node "
                + "needs; stop it, or block its address and revoke their certificates"
        }
    }

    private static func families(_ own: [IPAddress]) -> String {
        let (v4, v6) = (own.contains { $0.isV4 }, own.contains { !$0.isV4 })
        return v4 && v6 ? "IPv4 and IPv6" : v4 ? "IPv4" : "IPv6"
    }
}

/// Where an edge delivers its streams: in order, without duplicates per (source, incarnation). Called synchronously
/// from `receive` and `handleTimeout`; `payload` is valid only during the call.
public protocol StreamSink: AnyObject {
    /// - Parameter slot: a small number, the same for all packets of this stream until it ends here, so that the
    ///   receiver needs no look-up by name for each packet. Later another stream may have the slot.
    func deliver(_ payload: UnsafeRawBufferPointer, stream: StreamName, slot: Int, at now: MonotonicInstant)
    /// `lost` packets were given up. If `lost` is 0, another source or incarnation follows, or the current incarnation
    /// restarts at lower numbers.
    func discontinuity(stream: StreamName, lost: UInt64)
    func ended(stream: StreamName)
}
