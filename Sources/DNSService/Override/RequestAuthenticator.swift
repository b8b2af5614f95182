/// Authenticates requests for overrides: signed, recent, and never used before. Times are in seconds since 1970.
struct RequestAuthenticator: Sendable {
    /// Maximum difference between the operator's clock and ours.
    static let skewMax: Int64 = 60
    /// Maximum number of remembered nonces. Above this number in two minutes, further requests are refused.
    static let noncesMax = 1_024
    /// Maximum length of a request in bytes.
    static let lengthMax = 4_096

    enum Refusal: Error, Equatable, CustomStringConvertible {
        /// Unsigned, signed with an unknown key, or too long. The client is refused without a reason.
        case unauthorized
        case malformed
        case otherServer(String)
        case clock(seconds: Int64)
        case replayed
        case tooMany

        var description: String {
            switch self {
            case .unauthorized: "not signed with the secret of an `operator-public` line of this name server's key file"
            case .malformed: "not a request for an override"
            case .otherServer(let name): "it was made for \(name)"
            case .clock(let seconds):
                "it was made \(seconds) s from now by our clock, or before we started; set the clocks and try again"
            case .replayed: "it was already used"
            case .tooMany: "too many requests; wait two minutes"
            }
        }
    }

    /// The keys that may sign requests.
    var verifier: OverrideVerifier
    /// The endpoint that requests must name; nil if we cannot know it (a wildcard address).
    private let endpoint: String?
    /// When we started. Requests made earlier are refused, since we don't know which of them were accepted before.
    private let startedAt: Int64
    private var seen: [String: Int64] = [:]

    init(verifier: OverrideVerifier, endpoint: String?, startedAt: Int64) {
        self.verifier = verifier
        self.endpoint = endpoint
        self.startedAt = startedAt
    }

    mutating func admit(_ body: [UInt8], signature: String, at now: Int64) throws(Refusal) -> OverrideRequest {
        guard body.count <= Self.lengthMax, verifier.signer(of: body, signature) != nil else { throw .unauthorized }
        guard let request = OverrideRequest(body: body), request.nonce.utf8.count <= 64 else { throw .malformed }
        if let endpoint, request.to != endpoint { throw .otherServer(request.to) }
        guard request.issued >= startedAt, request.issued >= now - Self.skewMax, request.issued <= now + Self.skewMax
        else { throw .clock(seconds: request.issued &- now) }
        seen = seen.filter { $0.value >= now - 2 * Self.skewMax }
        guard seen[request.nonce] == nil else { throw .replayed }
        guard seen.count < Self.noncesMax else { throw .tooMany }
        seen[request.nonce] = request.issued
        return request
    }
}
