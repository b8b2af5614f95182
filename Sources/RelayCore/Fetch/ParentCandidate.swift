import ReflectorModel

/// A host from which a stream may be requested, and why.
struct ParentCandidate: Equatable {
    let name: String
    /// The id that follows from the name.
    let id: NodeID
    /// The address by which this node identifies the host.
    let endpoint: Endpoint
    /// Its other addresses, in the order in which to try them.
    let others: [Endpoint]
    /// 1 to 3 for a parent from the DNS, 0 for an entrypoint.
    let rank: UInt8
    let cause: String
    /// True for another root set reflector of the stream's portset, which is asked when no entrypoint can be reached.
    let isPeer: Bool
    /// True for another member of the node's own region.
    let isMember: Bool
    /// True for an entrypoint that announced the stream while this node had no answer of the zone about the candidates.
    let isUnconfirmed: Bool
    let answer: String?
    let serial: UInt32?

    /// An entrypoint or a parent from the DNS, neither a member of the node's region nor a peer.
    var isUpstream: Bool { !isPeer && !isMember }

    init(
        name: String, endpoint: Endpoint, others: [Endpoint] = [], rank: UInt8, cause: String, answer: String? = nil,
        serial: UInt32? = nil, isPeer: Bool = false, isMember: Bool = false, isUnconfirmed: Bool = false
    ) {
        self.name = name
        id = NodeID(name: name)
        self.endpoint = endpoint
        self.others = others
        self.rank = rank
        self.cause = cause
        self.isPeer = isPeer
        self.isMember = isMember
        self.isUnconfirmed = isUnconfirmed
        self.answer = answer
        self.serial = serial
    }
}
