import DatagramIO
import DNSAnswers
import IdentityKeys
import Logging
import NodeIdentity
import ReflectorModel

/// Accepts signed requests for overrides for a running name server.
public actor OverrideService {
    /// What became of the requests since the start.
    private struct Counters {
        var accepted: UInt64 = 0
        /// Signed by an operator who may override, but not possible.
        var refused: UInt64 = 0
        /// Signed by an operator whose role does not allow it.
        var refusedRole: UInt64 = 0
        /// Signed by nobody whom we know.
        var unauthorized: UInt64 = 0
    }

    private let server: NameServer
    private let logger: Logger
    private var identity: IdentityFolder
    private var authenticator: RequestAuthenticator
    private var counters = Counters()

    /// - Parameters:
    ///   - identity: the name server's own. Its operators may override, in its zone; its key signs replies.
    ///   - endpoint: where requests arrive, as ADDRESS:PORT; nil if that is a wildcard address.
    public init(server: NameServer, identity: IdentityFolder, endpoint: String?, logger: Logger) {
        self.server = server
        self.logger = logger
        self.identity = identity
        authenticator = RequestAuthenticator(
            operators: identity.operators, endpoint: endpoint, startedAt: WallClock.seconds)
    }

    /// Replaces operators, certificate and key.
    public func replace(_ identity: IdentityFolder) {
        self.identity = identity
        authenticator.operators = identity.operators
    }

    /// The reply and its signature; nil if no operator signed the request. The client is then refused without a reason.
    public func answer(_ body: [UInt8], signature: String) async -> (body: [UInt8], signature: String)? {
        let admitted: RequestAuthenticator.Admitted
        do throws(RequestAuthenticator.Refusal) {
            admitted = try authenticator.admit(body, signature: signature, at: WallClock.seconds)
        } catch {
            note(error)
            guard error != .unauthorized else { return nil }
            return reply(isAccepted: false, "\(error)", to: body)
        }
        do throws(NameServer.OverrideRefused) {
            let text = try await perform(admitted.request, by: admitted.name)
            counters.accepted += 1
            return reply(isAccepted: true, text, to: body)
        } catch {
            counters.refused += 1
            logger.warning("override refused", metadata: ["operator": "\(admitted.name)", "cause": "\(error)"])
            return reply(isAccepted: false, "\(error)", to: body)
        }
    }

    private func perform(
        _ request: OverrideRequest, by name: String
    ) async throws(NameServer.OverrideRefused) -> String {
        let own = identity.content.zone
        guard request.zone.lowercased() == own else {
            throw NameServer.OverrideRefused(
                description: "this name server's identity is of the zone \(own): its operators decide about no other")
        }
        switch request.action {
        case .drain: return try await set(.drain, request, by: name)
        case .depool: return try await set(.depool, request, by: name)
        case .pin: return try await set(.pin, request, by: name)
        case .clear:
            let entry = try await server.clearOverride(of: request.subject, zone: request.zone, by: name)
            return "\(entry.override.action.rawValue) of \(entry.subject) ended"
        case .pinEntrypoint: return try await setEntrypoint(.pin, request, by: name)
        case .barEntrypoint: return try await setEntrypoint(.bar, request, by: name)
        case .clearEntrypoint:
            let entries = try await server.clearEntrypointOverrides(
                of: request.subject, host: request.host, zone: request.zone, by: name)
            return entries.map(\.decision).joined(separator: ", ") + " ended"
        }
    }

    private func set(
        _ action: ZoneContent.Override.Action, _ request: OverrideRequest, by name: String
    ) async throws(NameServer.OverrideRefused) -> String {
        let entry = try await server.override(
            action, request.subject, zone: request.zone, seconds: request.seconds, reason: request.reason, by: name,
            isForced: request.isForced)
        return "\(action.rawValue) of \(entry.subject) for \(request.seconds) s"
    }

    private func setEntrypoint(
        _ action: EntrypointOverride.Action, _ request: OverrideRequest, by name: String
    ) async throws(NameServer.OverrideRefused) -> String {
        let entry = try await server.overrideEntrypoint(
            action, request.host ?? "", of: request.subject, zone: request.zone, seconds: request.seconds,
            reason: request.reason, by: name, isForced: request.isForced)
        return "\(entry.decision) for \(request.seconds) s"
    }

    private func note(_ refusal: RequestAuthenticator.Refusal) {
        switch refusal {
        case .unauthorized:
            counters.unauthorized += 1
            logger.warning("override refused: no operator of the `operators` file has signed it")
        case .role(let name):
            counters.refusedRole += 1
            logger.warning("override refused by role", metadata: ["operator": "\(name)", "role": "view"])
        default:
            counters.refused += 1
            logger.warning("override refused", metadata: ["cause": "\(refusal)"])
        }
    }

    private func reply(isAccepted: Bool, _ text: String, to body: [UInt8]) -> (body: [UInt8], signature: String) {
        let nonce = OverrideRequest(body: body)?.nonce ?? ""
        let reply = OverrideReply(isAccepted: isAccepted, text: text, nonce: nonce).body
        do throws(IdentityCryptoError) {
            let signer = OverrideReplySigner(credential: identity.credential)
            return (reply, try signer.signature(of: reply, to: body))
        } catch {
            logger.error("reply to an override not signed", metadata: ["cause": "\(error)"])
            return (reply, "")
        }
    }
}

extension OverrideService {
    /// Requests by outcome since the start: `override_refused_role` and so on.
    public var counts: [String: UInt64] {
        [
            "override_accepted": counters.accepted, "override_refused": counters.refused,
            "override_refused_role": counters.refusedRole, "override_unauthorized": counters.unauthorized,
        ]
    }

    /// The same as metrics.
    public var samples: [MetricSample] {
        [
            ("accepted", counters.accepted), ("refused", counters.refused), ("refused_role", counters.refusedRole),
            ("unauthorized", counters.unauthorized),
        ].map { outcome, count in
            MetricSample(
                name: "reflector_override_requests_total", labels: [("outcome", outcome)], value: Double(count),
                kind: .counter, help: "Requests for overrides, by outcome.")
        }
    }
}
