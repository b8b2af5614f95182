import ReflectorModel

/// What a stream remembers about its candidates: which refused it, and which proved worse than others.
struct CandidateMemory {
    /// Candidates that recently refused the stream, or refused only an extra path for it.
    private var refusals: [(endpoint: Endpoint, isOfExtra: Bool, at: MonotonicInstant)] = []
    /// In which ways candidates have refused the stream since it was last reported unavailable.
    private var kinds = RefusalKinds()
    /// Parents that proved worse although the zone puts them ahead of the current one, and until when not to return to
    /// them.
    private var demoted: [(endpoint: Endpoint, until: MonotonicInstant)] = []

    /// Why the stream is unavailable, as last reported; nil once a parent accepts it.
    private(set) var problem: UnavailableReason?

    /// Maximum number of refusals, and of demotions, to remember.
    private static let memoryMax = 32

    /// The reason to report if no candidate provides the stream.
    var reason: UnavailableReason { kinds.reason }

    mutating func noteRefusal(by endpoint: Endpoint, ofExtra isOfExtra: Bool = false, at now: MonotonicInstant) {
        forgetRefusal(by: endpoint)
        if refusals.count >= Self.memoryMax { refusals.removeFirst() }
        refusals.append((endpoint, isOfExtra, now))
    }

    mutating func noteKind(_ kind: RefusalKinds) { kinds.insert(kind) }

    /// Forgets that the candidate refused, so that it may be asked again immediately.
    mutating func forgetRefusal(by endpoint: Endpoint) { refusals.removeAll { $0.endpoint == endpoint } }

    /// A parent accepted the subscription.
    mutating func noteAcceptance(by endpoint: Endpoint) {
        kinds = []
        problem = nil
        forgetRefusal(by: endpoint)
    }

    /// The stream was reported unavailable: all candidates may be asked again.
    mutating func noteReport(of reason: UnavailableReason) {
        problem = reason
        refusals = []
        kinds = []
    }

    /// Whether the candidate has refused within the last `span`.
    ///
    /// - Parameter isExtra: whether the path would be an extra one. A candidate that refused only an extra path may
    ///   still be asked if there is no other path.
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
