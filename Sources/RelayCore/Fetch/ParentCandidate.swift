import ReflectorModel

/// A host that may be asked for a stream, and why.
struct ParentCandidate: Equatable {
    let name: String
    /// The address that stands for it, by which it is known here.
    let endpoint: Endpoint
    /// Its other addresses, in the order in which to try them.
    let others: [Endpoint]
    /// 1 to 3 for a parent by the DNS, 0 for an entrypoint.
    let rank: UInt8
    let cause: String
    let answer: String?
    let serial: UInt32?

    init(
        name: String, endpoint: Endpoint, others: [Endpoint] = [], rank: UInt8, cause: String, answer: String? = nil,
        serial: UInt32? = nil
    ) {
        self.name = name
        self.endpoint = endpoint
        self.others = others
        self.rank = rank
        self.cause = cause
        self.answer = answer
        self.serial = serial
    }
}
