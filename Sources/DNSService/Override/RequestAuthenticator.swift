import IdentityKeys
import NodeIdentity

/// Authenticates requests for overrides: signed by an operator who may override, recent, and never used before. Times are
/// in seconds since 1970.
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
        /// Signed by an operator who may only look.
        case role(name: String)
        case malformed
        case otherServer(String)
        case clock(seconds: Int64)
        case replayed
        case tooMany

        var description: String {
            switch self {
            case .unauthorized: "not signed with the key of an operator in this name server's `operators` file"
            case .role(let name):
                "\(name) has the role `view`; overrides need the role `override` or `admin` in the name server's "
                    + "`operators` file"
            case .malformed: "not a request for an override"
            case .otherServer(let name): "it was made for \(name)"
            case .clock(let seconds):
                "it was made \(seconds) s from now by our clock, or before we started; set the clocks and try again"
            case .replayed: "it was already used"
            case .tooMany: "too many requests; wait two minutes"
            }
        }
    }

    /// A request that counts, and whose it is.
    struct Admitted {
        var request: OverrideRequest
        /// The operator's name.
        var name: String
    }

    /// Whose requests count.
    var operators: OperatorDirectory
    /// The endpoint that requests must name; nil if we cannot know it (a wildcard address).
    private let endpoint: String?
    /// When we started. Requests made earlier are refused, since we don't know which of them were accepted before.
    private let startedAt: Int64
    private var seen: [String: Int64] = [:]

    init(operators: OperatorDirectory, endpoint: String?, startedAt: Int64) {
        self.operators = operators
        self.endpoint = endpoint
        self.startedAt = startedAt
    }

    mutating func admit(_ body: [UInt8], signature: String, at now: Int64) throws(Refusal) -> Admitted {
        guard body.count <= Self.lengthMax, let signer = signer(of: body, signature) else { throw .unauthorized }
        // Before the nonces, so that somebody who may not override can't fill their table.
        guard signer.role.maySetOverrides else { throw .role(name: signer.name) }
        guard let request = OverrideRequest(body: body), request.nonce.utf8.count <= 64 else { throw .malformed }
        if let endpoint, request.to != endpoint { throw .otherServer(request.to) }
        guard request.issued >= startedAt, request.issued >= now - Self.skewMax, request.issued <= now + Self.skewMax
        else { throw .clock(seconds: request.issued &- now) }
        seen = seen.filter { $0.value >= now - 2 * Self.skewMax }
        guard seen[request.nonce] == nil else { throw .replayed }
        guard seen.count < Self.noncesMax else { throw .tooMany }
        seen[request.nonce] = request.issued
        return Admitted(request: request, name: signer.name)
    }

    /// The operator who signed the body; nil if none of ours did.
    private func signer(of body: [UInt8], _ signature: String) -> OperatorDirectory.Entry? {
        guard let (bytes, signature) = SignatureHeader.parse(signature, signerMax: 8),
            let id = OverrideSignature.id(bytes), let signer = operators.entry(with: id),
            Ed25519PrivateKey.isValid(signature, of: OverrideSignature.request(body), by: signer.key)
        else { return nil }
        return signer
    }
}
