/// A host that an SRV answer named, with one of its addresses. A host with several addresses stands in the answer once
/// for each, one after the other, IPv4 first.
public struct ResolvedHost: Hashable, Sendable, CustomStringConvertible {
    /// Lower case and relative to the zone (`nyc-1`), or with a final dot where the host is outside the zone.
    public var name: String
    /// One of the host's addresses, and the port of the SRV record.
    public var endpoint: Endpoint
    /// SRV priority: lower is preferred (RFC 2782). The order of a stream's candidates.
    public var priority: UInt16
    /// SRV weight: the host's capacity in relation to the others of its priority.
    public var weight: UInt16

    public init(name: String, endpoint: Endpoint, priority: UInt16, weight: UInt16) {
        self.name = name
        self.endpoint = endpoint
        self.priority = priority
        self.weight = weight
    }

    public var id: NodeID { NodeID(name: name) }
    public var description: String { "\(name)=\(endpoint)" }
}

/// The name servers' answer for a `ReflectorName` that exists.
public struct LookUpAnswer: Hashable, Sendable {
    /// By priority, then name, then address. Empty only where the zone says that there are none and shall be none (an
    /// SRV record with the target `.`, RFC 2782): then the node gives its old ones up.
    public var hosts: [ResolvedHost]
    /// How long the answer may be followed, in seconds: the lowest TTL of the SRV records and the addresses.
    public var ttlSeconds: UInt32
    /// Strings of the TXT records as the server wrote them, for people and `trace`: `set=…`, and with `serial=…` and
    /// `cause=…` the last change of that set region's answer.
    public var text: [String]
    /// Serial of the zone that gave the answer, from its SOA, asked for beside the answer.
    public var serial: UInt32?
    /// For `candidates`: the portset of the stream, whether written or hashed from its name. Else nil.
    public var portset: PortsetID?

    public init(
        hosts: [ResolvedHost], ttlSeconds: UInt32, text: [String] = [], serial: UInt32? = nil,
        portset: PortsetID? = nil
    ) {
        self.hosts = hosts
        self.ttlSeconds = ttlSeconds
        self.text = text
        self.serial = serial
        self.portset = portset
    }

    /// Hosts that are left out only because probes find them dead, as the TXT string `dead=nyc-1,nyc-2` has them.
    public var seemingDead: [Substring] {
        let key = "dead="
        return text.filter { $0.hasPrefix(key) }.flatMap { $0.dropFirst(key.count).split(separator: ",") }
    }
}

/// How a look-up ended. Only `records` may move a node: with `noSuchName` and `noData` it keeps its old parents and
/// raises an alarm (design §4), and `failed` says nothing about the zone at all.
public enum LookUpResult: Hashable, Sendable {
    case records(LookUpAnswer)
    /// NXDOMAIN; the serial of the SOA that came with it.
    case noSuchName(serial: UInt32?)
    /// The name exists and has no such records. The serial of the SOA that came with it.
    case noData(serial: UInt32?)
    case failed(LookUpFailure)
}

/// Why a look-up gave no answer.
public enum LookUpFailure: Error, Hashable, Sendable {
    /// No server answered in time.
    case timedOut
    /// Servers answered, but none with anything usable: the RCODE of the last one (RFC 1035 §4.1.1), or SERVFAIL's
    /// for a malformed answer.
    case serverFailure(rcode: UInt8)
    /// The SRV records name hosts for which the servers have no address.
    case noAddress
    /// Too many look-ups are under way.
    case overloaded
    /// The resolver is shutting down.
    case shutDown
}

extension LookUpFailure: CustomStringConvertible {
    /// As it stands behind "the name servers give no answer: ".
    public var description: String {
        switch self {
        case .timedOut: "none answers in time"
        case .serverFailure(let rcode): "they refuse or fail (RCODE \(rcode))"
        case .noAddress: "they name hosts without an address"
        case .overloaded: "too many look-ups are under way"
        case .shutDown: "this node is stopping"
        }
    }
}
