import ArgumentParser
import DatagramIO
import DNSService
import IdentityKeys
import NodeIdentity
import OpsEndpoint
import ReflectorModel

/// The operator who signs an override, and the name servers that get it.
struct OverrideSender: ParsableArguments {
    @Option(
        name: .customLong("operator"),
        help: ArgumentHelp(
            "Your operator folder (`reflector keys init`), with your key and the file of operators.", valueName: "dir"))
    var folder = "operator"

    @OptionGroup var servers: OverrideServers

    /// Sends the override to one server after the other. Stops at the first that refuses it, because the others would
    /// or should refuse it, too.
    ///
    /// - Parameters:
    ///   - subject: a host or site; for entrypoints, a stream.
    ///   - host: a candidate of the stream.
    func send(
        _ action: OverrideRequest.Action, _ subject: String, host: String? = nil, _ term: OverrideTerm?,
        isForced: Bool
    ) async throws {
        let signer = try signer()
        let targets = try servers.targets()
        let replies = try verifier(for: targets)
        let seconds = try term?.seconds() ?? 0
        var failures = 0
        for server in targets.servers {
            let request = OverrideRequest(
                to: "\(server.endpoint)", action: action, subject: subject, host: host, zone: targets.zone,
                seconds: seconds, reason: term?.why ?? "", isForced: isForced, issued: WallClock.seconds)
            do {
                let reply = try await Self.send(request, to: server, signer, replies)
                guard reply.isAccepted else {
                    StandardError.print("\(server.endpoint): refused: \(reply.text)")
                    throw ExitCode(1)
                }
                print("\(server.endpoint): \(reply.text)")
            } catch let exit as ExitCode {
                throw exit
            } catch {
                StandardError.print("\(server.endpoint): \(error)")
                failures += 1
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }
}

extension OverrideSender {
    private struct Unproved: Error, CustomStringConvertible {
        var cause: String
        var description: String { "the answer proves nothing, so it is unknown whether it took effect: \(cause)" }
    }

    private func signer() throws -> OverrideSigner {
        do throws(IdentityFileError) {
            return OverrideSigner(try OperatorFolder.loadKey(folder).key)
        } catch {
            throw ValidationError(
                "\(error)\n--operator is the folder that `reflector keys init` made, with your key in operator.key")
        }
    }

    private func verifier(for targets: OverrideServers.Targets) throws -> OverrideReplyVerifier {
        do throws(IdentityFileError) {
            let authorities = try OperatorDirectory.load(OperatorFolder.operatorsPath(folder)).authorities
            var revocations = try targets.revocations()
            if let list = revocations, !authorities.accepts(list, zone: targets.zone, LibcryptoIdentityCrypto()) {
                StandardError.print(
                    "\(targets.zone): no admin signed the list of revoked certificates, so it does not count")
                revocations = nil
            }
            return OverrideReplyVerifier(authorities: authorities, zone: targets.zone, revocations: revocations)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    private static func send(
        _ request: OverrideRequest, to server: OverrideServers.Server, _ signer: OverrideSigner,
        _ replies: OverrideReplyVerifier
    ) async throws -> OverrideReply {
        let body = request.body
        let answer = try await OpsClient().post(
            "/override", body: body, signature: try signer.signature(of: body), to: server.endpoint)
        do throws(OverrideReplyVerifier.Refusal) {
            _ = try replies.verify(
                answer.body, to: body, signature: answer.signature, names: server.names,
                at: WallClock.certificateSeconds)
        } catch {
            throw Unproved(cause: "\(error)")
        }
        guard let reply = OverrideReply(body: answer.body), reply.nonce == request.nonce else {
            throw Unproved(cause: "it is not a reply to this request")
        }
        return reply
    }
}
