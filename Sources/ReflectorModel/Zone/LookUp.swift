/// A host from an SRV answer, with one of its addresses. A host with several addresses appears once for each,
/// consecutively, IPv4 first.
public struct ResolvedHost: Hashable, Sendable, CustomStringConvertible {
    /// Lower case and relative to the zone (`nyc-1`), or with a final dot if the host is outside the zone.
    public var name: String { didSet { id = NodeID(name: name) } }
    /// The id that follows from the name.
    public private(set) var id: NodeID
    /// One of the host's addresses, and the port of the SRV record.
    public var endpoint: Endpoint
    /// SRV priority: lower is preferred (RFC 2782). The priorities of a stream's candidates give their order.
    public var priority: UInt16
    /// SRV weight: the host's capacity relative to the others of its priority.
    public var weight: UInt16

    public init(name: String, endpoint: Endpoint, priority: UInt16, weight: UInt16) {
        self.name = name
        id = NodeID(name: name)
        self.endpoint = endpoint
        self.priority = priority
        self.weight = weight
    }

    public var description: String { "\(name)=\(endpoint)" }
}

/// The name servers' answer for a `ReflectorName` that exists.
public struct LookUpAnswer: Hashable, Sendable {
    /// Sorted by priority, then name, then address. Empty only if the zone says that there are no hosts (an SRV record
    /// with the target `.`, RFC 2782); a node then drops its old hosts.
    public var hosts: [ResolvedHost]
    /// How long the answer is valid, in seconds: the lowest TTL of the SRV records and the addresses.
    public var ttlSeconds: UInt32
    /// Strings of the TXT records as the server wrote them, for people and `trace`: `set=…` names a set region;
    /// `serial=…` and `cause=…` belong to the newest change of its answer.
    public var text: [String] { didSet { choices = CandidateChoices(text: text) } }
    /// SOA serial of the zone that gave the answer, queried together with the answer.
    public var serial: UInt32?
    /// For `candidates`, the portset of the stream, either configured or hashed from the stream's name; otherwise nil.
    public var portset: PortsetID?
    /// What the text says about a stream's candidates, read once.
    private var choices: CandidateChoices

    public init(
        hosts: [ResolvedHost], ttlSeconds: UInt32, text: [String] = [], serial: UInt32? = nil,
        portset: PortsetID? = nil
    ) {
        self.hosts = hosts
        self.ttlSeconds = ttlSeconds
        self.text = text
        choices = CandidateChoices(text: text)
        self.serial = serial
        self.portset = portset
    }

    /// For `candidates`: how the stream's entrypoints share the work.
    public var policy: StreamPolicy { choices.policy }

    /// For `candidates`: the entrypoint that an operator has put first for a while (TXT `pin=ep-nyc`).
    public var pinned: Substring? { choices.pinned }

    /// For `candidates`: the entrypoints that an operator has left out for a while (TXT `barred=ep-bos,ep-lon`).
    public var barred: [Substring] { CandidateChoices.values(of: "barred", in: text) }

    /// Hosts that the answer leaves out only because they seem dead to probes, from the TXT string `dead=nyc-1,nyc-2`.
    public var seemingDead: [Substring] {
        let key = "dead="
        return text.filter { $0.hasPrefix(key) }.flatMap { $0.dropFirst(key.count).split(separator: ",") }
    }
}

/// What the TXT strings of a stream's candidates say.
private struct CandidateChoices: Hashable, Sendable {
    let policy: StreamPolicy
    let pinned: Substring?

    init(text: [String]) {
        policy = StreamPolicy(text: text)
        pinned = Self.values(of: "pin", in: text).first
    }

    static func values(of key: String, in text: [String]) -> [Substring] {
        text.filter { $0.hasPrefix(key + "=") }
            .flatMap { $0.dropFirst(key.utf8.count + 1).split(separator: ",") }
    }
}

/// The result of a lookup. Only `records` may change a node's parents. On `noSuchName` and `noData` the node keeps its
/// old parents and raises an alarm (design §4); `failed` says nothing about the zone.
public enum LookUpResult: Hashable, Sendable {
    case records(LookUpAnswer)
    /// NXDOMAIN, with the serial of the SOA in the response.
    case noSuchName(serial: UInt32?)
    /// The name exists but has no such records; with the serial of the SOA in the response.
    case noData(serial: UInt32?)
    case failed(LookUpFailure)
}

/// Why a lookup gave no answer.
public enum LookUpFailure: Error, Hashable, Sendable {
    /// No server answered in time.
    case timedOut
    /// Servers answered, but none gave a usable answer: the RCODE of the newest answer (RFC 1035 §4.1.1), or SERVFAIL
    /// if that answer was malformed.
    case serverFailure(rcode: UInt8)
    /// The SRV records name hosts for which the servers have no address.
    case noAddress
    /// Too many lookups are in progress.
    case overloaded
    /// The resolver is shutting down.
    case shutDown
}

extension LookUpFailure: CustomStringConvertible {
    /// The text that follows "the name servers give no answer: " in messages.
    public var description: String {
        switch self {
        case .timedOut: "no answer in time"
        case .serverFailure(let rcode): "they refuse or fail (RCODE \(rcode))"
        case .noAddress: "they name hosts without an address"
        case .overloaded: "too many lookups in progress"
        case .shutDown: "this node is stopping"
        }
    }
}
