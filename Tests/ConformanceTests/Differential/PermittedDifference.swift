/// Where another server may answer differently: a short list, each with its reason. What is not on it is a failure.
struct PermittedDifference: Sendable {
    var title: String
    var reason: String
    /// Which server it concerns; nil for every one.
    var peer: String?
    var isAllowed: @Sendable (DifferentialQuery, _ ours: CanonicalReply?, _ theirs: CanonicalReply?) -> Bool

    static let all: [PermittedDifference] = []
}
