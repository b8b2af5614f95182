import ArgumentParser
import DNSService
import LocalNetwork
import OpsEndpoint
import ReflectorModel
import RelayService

/// `reflector override …`: temporary decisions of an operator, in addition to the files.
struct OverrideCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "override",
        abstract: "Remove set reflectors from the answers, or keep them there, for a limited time.",
        discussion: """
            An override goes to every name server of the zone and takes effect within a second. The servers keep it in \
            their --state beside the zone files (never in them), and it expires. A SITE means all hosts of the set \
            regions with that site=; an override of a host takes precedence over one of its site.

              drain   answered only if no other host is left
              depool  never answered
              pin     answered with full weight, whatever the probes say

            A set region whose hosts are all drained is left out if every map line that names it has another parent in \
            service. A depool is refused if cells of the map would have no parent left, unless --force is given.

            Requests are signed with the operator's secret, which `keys generate FILE` writes to FILE.operator: name \
            servers accept only those of the operators in the operator-public lines of their key file. The network \
            keys of FILE only prove that an answer comes from a name server.
            Exit status: 0 every server accepted it, 1 some did not, 2 wrong usage.

            Examples:
              reflector override drain nyc-1 --for 1h --why 'new kernel' \\
                  --keys reflector.keys
              reflector override depool us-east --for 2h --why 'flood' \\
                  --keys reflector.keys --server 192.0.2.1:4980
            """,
        subcommands: [Drain.self, Depool.self, Pin.self, Clear.self, List.self])

    struct Drain: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Answer a host or site only if no other host is left.")
        @OptionGroup var subject: OverrideSubject
        @OptionGroup var term: OverrideTerm
        func run() async throws { try await subject.send(.drain, term) }
    }

    struct Depool: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Never answer a host or site.")
        @OptionGroup var subject: OverrideSubject
        @OptionGroup var term: OverrideTerm
        @Flag(help: "Even if cells of the map would have no parent left.")
        var force = false
        func run() async throws { try await subject.send(.depool, term, isForced: force) }
    }

    struct Pin: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Answer a host or site with full weight, whatever the probes say.")
        @OptionGroup var subject: OverrideSubject
        @OptionGroup var term: OverrideTerm
        func run() async throws { try await subject.send(.pin, term) }
    }

    struct Clear: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "End the override of a host or site now.")
        @OptionGroup var subject: OverrideSubject
        func run() async throws { try await subject.send(.clear, nil) }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the overrides in force at each name server.")
        @OptionGroup var servers: OverrideServers
        @Flag(help: "JSON on standard output, for programs.")
        var json = false

        func run() async throws { try await servers.list(json: json) }
    }
}

/// The duration and the reason.
struct OverrideTerm: ParsableArguments {
    @Option(name: .customLong("for"), help: "How long it lasts, at most 30d: a number with s, m, h or d.")
    var span: String

    @Option(help: "The reason, shown by explain and list: at most 100 characters.")
    var why: String

    func seconds() throws -> Int64 {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let unit = span.last.flatMap({ units[$0] }), let number = Int64(span.dropLast()), number > 0,
            case (let seconds, false) = number.multipliedReportingOverflow(by: unit), seconds <= 30 * 86_400
        else { throw ValidationError("--for: '\(span)' is not a time up to 30d, e.g. 30s, 10m, 1h or 2d") }
        return seconds
    }
}

/// The subject of an override, and the key that signs it.
struct OverrideSubject: ParsableArguments {
    @Argument(help: ArgumentHelp("A host of a set region, e.g. nyc-1, or a site.", valueName: "host-or-site"))
    var subject: String

    @Option(help: ArgumentHelp("Key file (mode 0600) with the network's keys.", valueName: "file"))
    var keys: String

    @Option(
        help: ArgumentHelp(
            "File (mode 0600) with the operator's secret. Default: the key file's name with .operator appended.",
            valueName: "file"))
    var operatorKey: String?

    @OptionGroup var servers: OverrideServers

    /// Sends the override to one server after the other. Stops at the first that refuses it, because the others would
    /// or should refuse it, too.
    func send(_ action: OverrideRequest.Action, _ term: OverrideTerm?, isForced: Bool = false) async throws {
        let (signer, replies) = try signing()
        let (zone, targets) = try servers.targets()
        let seconds = try term?.seconds() ?? 0
        var failures = 0
        for target in targets {
            let request = OverrideRequest(
                to: "\(target)", action: action, subject: subject, zone: zone, seconds: seconds,
                reason: term?.why ?? "", isForced: isForced, issued: WallTime.seconds)
            switch await Self.send(request, to: target, signer, replies) {
            case .success(let reply) where reply.isAccepted: print("\(target): \(reply.text)")
            case .success(let reply):
                StandardError.print("\(target): refused: \(reply.text)")
                throw ExitCode(1)
            case .failure(let failure):
                StandardError.print("\(target): \(failure)")
                failures += 1
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }
}

extension OverrideSubject {
    private struct Unsigned: Error, CustomStringConvertible {
        var description: String { "the answer is not signed with a network key of the key file" }
    }

    private func signing() throws -> (OverrideSigner, ReplyAuthenticator) {
        let network = try NameServerKeys.load(keys).networkKeys
        let path = operatorKey ?? keys + OperatorKeyFile.suffix
        do {
            let secrets = try OperatorKeyFile.load(path).secrets
            guard let first = secrets.phased.first, let signer = OverrideSigner(secret: first) else {
                throw ValidationError("\(path): libcrypto rejects the secret")
            }
            return (signer, try ReplyAuthenticator(networkKeys: network.phased))
        } catch let error as KeyFile.Invalid {
            throw ValidationError(
                "\(error)\nOverrides are signed with an operator's secret (--operator-key); "
                    + "`reflector keys operator \(path)` makes one; its --help says where the public line goes")
        }
    }

    private static func send(
        _ request: OverrideRequest, to target: Endpoint, _ signer: OverrideSigner, _ replies: ReplyAuthenticator
    ) async -> Result<OverrideReply, any Error> {
        let body = request.body
        do {
            let answer = try await OpsClient().post(
                "/override", body: body, signature: signer.signature(of: body), to: target)
            guard replies.isValid(answer.signature, of: answer.body), let reply = OverrideReply(body: answer.body),
                reply.nonce == request.nonce
            else { return .failure(Unsigned()) }
            return .success(reply)
        } catch {
            return .failure(error)
        }
    }
}

/// The name servers that get the request.
struct OverrideServers: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder of the zone files, for the zone's name and its name servers, reached at port 4980.",
            valueName: "dir"))
    var zones = "zones"

    @Option(
        name: .customLong("server"),
        help: ArgumentHelp(
            "A name server's --ops address, instead of those from --zones; may be given several times.",
            valueName: "addr:port"))
    var servers: [String] = []

    @Option(help: "The zone, if there is no folder or it has several.")
    var zone: String?

    /// The zone and the ops endpoints of its name servers.
    func targets() throws -> (zone: String, endpoints: [Endpoint]) {
        let given = try servers.map { text in
            guard let endpoint = Endpoint(text) else {
                throw ValidationError("--server: '\(text)' is not ADDRESS:PORT, e.g. 127.0.0.1:4980")
            }
            return endpoint
        }
        if let zone, !given.isEmpty { return (zone, given) }
        let contents = try ZoneFolder.contents(zones).filter { zone == nil || $0.zone == zone?.lowercased() }
        guard contents.count == 1, let content = contents.first else {
            throw ValidationError("\(zones) holds \(contents.count) matching zones; choose one with --zone")
        }
        if !given.isEmpty { return (content.zone, given) }
        do throws(NetworkPlan.Unusable) {
            return (content.zone, try NetworkPlan(content).nameServers.map(\.ops))
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func list(json: Bool) async throws {
        struct Entry: Encodable {
            var server: String
            var overrides: [NameServer.Status.Override]
        }
        var entries: [Entry] = []
        var failures = 0
        let (zone, targets) = try targets()
        for target in targets {
            do throws(OpsClient.Failure) {
                let status = try await OpsClient().status(NameServer.Status.self, of: target)
                entries.append(Entry(server: "\(target)", overrides: status.overrides.filter { $0.zone == zone }))
            } catch {
                StandardError.print("\(target): \(error)")
                failures += 1
            }
        }
        if json {
            try JSONOutput.print(entries)
        } else {
            for entry in entries {
                for override in entry.overrides {
                    let left = max(override.until - WallTime.seconds, 0)
                    print("\(entry.server): \(override.text), until \(UTCTime.text(override.until)) (\(left) s left)")
                }
                if entry.overrides.isEmpty { print("\(entry.server): none") }
            }
        }
        if failures > 0 { throw ExitCode(1) }
    }
}

extension NameServer.Status.Override {
    /// `drain nyc-1: new kernel`.
    var text: String { "\(action.rawValue) \(isSite ? "site " : "")\(subject): \(reason)" }
}
