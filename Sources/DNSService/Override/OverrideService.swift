import DNSAnswers

/// Accepts signed requests for overrides for a running name server.
public actor OverrideService {
    /// The response to send.
    public struct Response: Sendable {
        /// False if no operator signed the request. The client is then refused without a reason.
        public var isAuthorized: Bool
        public var body: [UInt8]
        public var signature: String
    }

    private let server: NameServer
    private var replies: ReplyAuthenticator
    private var authenticator: RequestAuthenticator

    /// - Parameters:
    ///   - operators: public keys of the operators who may set overrides.
    ///   - networkKeys: keys that authenticate replies.
    ///   - endpoint: where requests arrive, as ADDRESS:PORT; nil if that is a wildcard address.
    public init(
        server: NameServer, operators: [PhasedKey], networkKeys: [PhasedKey], endpoint: String?
    ) throws {
        self.server = server
        replies = try ReplyAuthenticator(networkKeys: networkKeys)
        authenticator = RequestAuthenticator(
            verifier: OverrideVerifier(keys: operators), endpoint: endpoint, startedAt: WallClock.seconds)
    }

    /// Replaces the keys. Throws, and changes nothing, if a key can't be used.
    public func replaceKeys(operators: [PhasedKey], networkKeys: [PhasedKey]) throws {
        replies = try ReplyAuthenticator(networkKeys: networkKeys)
        authenticator.verifier = OverrideVerifier(keys: operators)
    }

    public func answer(_ body: [UInt8], signature: String) async -> Response {
        let request: OverrideRequest
        do throws(RequestAuthenticator.Refusal) {
            request = try authenticator.admit(body, signature: signature, at: WallClock.seconds)
        } catch {
            guard error != .unauthorized else {
                return Response(isAuthorized: false, body: Array("\(error)\n".utf8), signature: "")
            }
            let nonce = OverrideRequest(body: body)?.nonce ?? ""
            return reply(OverrideReply(isAccepted: false, text: "\(error)", nonce: nonce))
        }
        do throws(NameServer.OverrideRefused) {
            return reply(OverrideReply(isAccepted: true, text: try await perform(request), nonce: request.nonce))
        } catch {
            return reply(OverrideReply(isAccepted: false, text: "\(error)", nonce: request.nonce))
        }
    }

    private func perform(_ request: OverrideRequest) async throws(NameServer.OverrideRefused) -> String {
        guard let action = ZoneContent.Override.Action(rawValue: request.action.rawValue) else {
            let entry = try await server.clearOverride(of: request.subject, zone: request.zone)
            return "\(entry.override.action.rawValue) of \(entry.subject) ended"
        }
        let entry = try await server.override(
            action, request.subject, zone: request.zone, seconds: request.seconds, reason: request.reason,
            isForced: request.isForced)
        return "\(action.rawValue) of \(entry.subject) for \(request.seconds) s"
    }

    private func reply(_ reply: OverrideReply) -> Response {
        let body = reply.body
        return Response(isAuthorized: true, body: body, signature: replies.signature(of: body))
    }
}
