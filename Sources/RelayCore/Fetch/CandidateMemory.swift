import ReflectorModel

/// What a stream remembers of the hosts that may be asked for it: which refused it, and which proved worse than others.
struct CandidateMemory {
    /// Candidates that recently refused the stream, or only an extra path of it.
    private var refusals: [(endpoint: Endpoint, isOfExtra: Bool, at: MonotonicInstant)] = []
    /// How they refused it, since it was last reported that nobody gives it.
    private var kinds = RefusalKinds()
    /// Parents before the one in use that proved worse, and until when they are not returned to.
    private var demoted: [(endpoint: Endpoint, until: MonotonicInstant)] = []

    /// Why nobody gives the stream now, as last reported; nil once a parent gives it.
    private(set) var problem: UnavailableReason?

    /// Most refusals and demotions that are remembered.
    private static let memoryMax = 32

    /// What to report if nobody gives the stream.
    var reason: UnavailableReason { kinds.reason }

    mutating func noteRefusal(by endpoint: Endpoint, ofExtra isOfExtra: Bool = false, at now: MonotonicInstant) {
        forgetRefusal(by: endpoint)
        if refusals.count >= Self.memoryMax { refusals.removeFirst() }
        refusals.append((endpoint, isOfExtra, now))
    }

    mutating func noteKind(_ kind: RefusalKinds) { kinds.insert(kind) }

    /// The candidate may be asked again at once.
    mutating func forgetRefusal(by endpoint: Endpoint) { refusals.removeAll { $0.endpoint == endpoint } }

    /// A parent gives the stream.
    mutating func noteAcceptance(by endpoint: Endpoint) {
        kinds = []
        problem = nil
        forgetRefusal(by: endpoint)
    }

    /// It is reported that nobody gives the stream: all may be asked again.
    mutating func noteReport(of reason: UnavailableReason) {
        problem = reason
        refusals = []
        kinds = []
    }

    /// - Parameter isExtra: whether an extra path is wanted. A candidate that refused only that may still be asked if there
    ///   is no other path.
    func hasRefused(_ endpoint: Endpoint, isExtra: Bool, within span: TimeSpan, at now: MonotonicInstant) -> Bool {
        refusals.contains { $0.endpoint == endpoint && now - $0.at < span && (isExtra || !$0.isOfExtra) }
    }

    func isDemoted(_ endpoint: Endpoint, at now: MonotonicInstant) -> Bool {
        demoted.contains { $0.endpoint == endpoint && now < $0.until }
    }

    mutating func demote(_ endpoint: Endpoint, until: MonotonicInstant) {
        demoted.removeAll { $0.endpoint == endpoint }
        if demoted.count >= Self.memoryMax { demoted.removeFirst() }
        demoted.append((endpoint, until))
    }
}
