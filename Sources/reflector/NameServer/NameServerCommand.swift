import ArgumentParser
import DNSAnswers
import DNSService
import DatagramIO
import IdentityKeys
import Logging
import ReflectorModel
import UnixSignals

/// `reflector nameserver`: answers for the zones of a directory until SIGTERM; SIGHUP reloads them.
struct NameServerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nameserver",
        abstract: "Answer DNS queries for the zones of a directory.",
        discussion: """
            The server detects changes of the files and accepts or refuses them as a whole. It logs a refusal and \
            keeps serving the last good zone. It also refuses a folder in which a .portsets or .streams file is \
            missing (`reflector zone accept` if that is intended), or in which a revocation list is missing or older \
            than the one served before. With secondaries or other servers in the NS set, it compares its serial with \
            theirs before the first answer, so that the serial never falls. SIGHUP reloads the directory, the identity \
            and every file of secrets (TSIG keys, cookie secrets); SIGTERM ends the server.

            With --identity (`reflector keys request` makes the folder) the server probes set reflectors, so that answers \
            leave out dead ones, and accepts overrides of the operators in that folder.

            On this machine, then facing the Internet:
              reflector nameserver --zones zones --listen 127.0.0.1:5300 \\
                  --state /var/lib/reflector --ops 127.0.0.1:4980
              reflector nameserver --zones zones --identity /etc/reflector/ns1 \\
                  --listen 192.0.2.53:53 --listen '[2001:db8::53]:53' \\
                  --state /var/lib/reflector --user reflector \\
                  --cookie-secrets /etc/reflector/cookies
            """)

    @Option(help: ArgumentHelp("Directory of the zone files.", valueName: "dir"))
    var zones: String

    @Option(
        help: ArgumentHelp("Address and port for UDP and TCP; may be given several times.", valueName: "addr:port"),
        transform: Self.endpoint)
    var listen: [Endpoint] = []

    @Option(help: ArgumentHelp("Directory that keeps serials across restarts.", valueName: "dir"))
    var state: String?

    @Option(
        help: ArgumentHelp(
            "Who may query explain and _status: an address or prefix, repeatable. Default: this machine, by loopback "
                + "or its own addresses.",
            valueName: "cidr"),
        transform: Self.block)
    var explainFrom: [CIDRBlock] = []

    @Option(
        help: ArgumentHelp(
            "Identity folder: node.key, node.certificate (role name-server) and operators. Without it: no probes and no "
                + "overrides.",
            valueName: "dir"))
    var identity: String?

    @Option(
        help: ArgumentHelp(
            "The answer to NSID, id.server and hostname.bind. Default: the name in the certificate.", valueName: "text")
    )
    var nsid: String?

    @Option(
        help: ArgumentHelp("UDP loops, each on a thread of its own (1 to 64). Default: one per core.", valueName: "n"))
    var workers: Int?

    @Option(
        help: ArgumentHelp(
            "User to become once all ports are bound; gets ownership of the state directory.", valueName: "name"))
    var user: String?

    @Option(
        help: ArgumentHelp(
            """
            File (mode 0600) with the secrets of DNS cookies, one to three lines of 32 hexadecimal digits: the first \
            signs, all are accepted. Servers that share it accept each other's cookies. Default: a random one.
            """, valueName: "file"))
    var cookieSecrets: String?

    @Option(
        help: ArgumentHelp(
            "Most answers of one kind per second over UDP to one network (/24, /56); 0 is no limit.", valueName: "n"))
    var rrl = 200

    @Option(
        help: ArgumentHelp(
            "Truncate one in n answers over the limit, so that honest clients retry over TCP; 0: none.",
            valueName: "n"))
    var rrlSlip = 2

    @Option(
        help: ArgumentHelp(
            """
            Exempt from the limit: an address or prefix, repeatable. Default: loopback. TCP and clients \
            with a valid cookie are never limited.
            """, valueName: "cidr"),
        transform: Self.block)
    var rrlExempt: [CIDRBlock] = []

    @Option(
        help: ArgumentHelp("Log a sample of the queries: 1/1000 logs every thousandth.", valueName: "1/n"),
        transform: Self.sampling)
    var logQueries: Int?

    @OptionGroup(title: "Transfers to secondaries")
    var transfers: TransferOptions

    @Option(
        help: ArgumentHelp("Health, status and metrics over HTTP. Default: none.", valueName: "addr:port"),
        transform: Self.endpoint)
    var ops: Endpoint?

    @OptionGroup var log: LogOptions

    func validate() throws {
        if let workers {
            guard (1...64).contains(workers) else { throw ValidationError("--workers takes 1 to 64, not \(workers)") }
        }
        guard (0...1_000_000).contains(rrl) else { throw ValidationError("--rrl takes 0 to 1000000, not \(rrl)") }
        guard (0...100).contains(rrlSlip) else { throw ValidationError("--rrl-slip takes 0 to 100, not \(rrlSlip)") }
        guard (nsid ?? "").utf8.count <= 64 else { throw ValidationError("--nsid takes at most 64 bytes") }
    }

    func run() async throws {
        ProcessSetUp.run()
        LineLogHandler.bootstrap(log.logFormat)
        let logger = Logger(label: "nameserver")
        let manager = ServiceManager()
        let folder = try identity.map { try NameServerKeys.loadIdentity($0) }
        var configuration = try transfers.apply(to: serverConfiguration)
        configuration.nsid = nsid ?? folder.map { String($0.content.name.prefix(64)) } ?? configuration.nsid
        configuration.identity = folder
        let server = NameServer(configuration: configuration, logger: logger)
        let inUse = folder.map { IdentityInUse($0) }
        let opsEndpoint = NameServerOps(server: server, identity: inUse, endpoint: ops, logger: logger)
        let secrets = NameServerKeys(
            identity: inUse, transfers: transfers, server: server, ops: opsEndpoint, logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let signals = await UnixSignalsSequence(trapping: .sighup, .sigterm, .sigint)
            group.addTask {
                for await signal in signals {
                    guard signal == .sighup else {
                        manager.stopping()
                        return await server.stop()
                    }
                    manager.reloading()
                    await secrets.reload()
                    await server.reload()
                    manager.ready()
                }
            }
            group.addTask {
                do {
                    try await server.run { _ in
                        opsEndpoint.didOpen()
                        secrets.warn(cookieSecrets: cookieSecrets)
                        manager.ready()
                    }
                } catch {
                    logger.critical("\(error)")
                    throw ExitCode(1)
                }
            }
            if let interval = manager.watchdogInterval {
                group.addTask {
                    while !Task.isCancelled {
                        _ = await server.status
                        manager.watchdog()
                        try? await Task.sleep(for: interval)
                    }
                }
            }
            if let inUse { group.addTask { await ExpiryWatch(identity: inUse, logger: logger).run() } }
            if let ops {
                group.addTask {
                    do {
                        try await opsEndpoint.endpoint(at: ops).run()
                    } catch {
                        logger.critical("\(ops): \(error)")
                        throw ExitCode(1)
                    }
                }
            }
            // The task of the signals has stopped the server before it ends. If the server ends first, no signals are
            // needed.
            try await group.next()
            if !Task.isCancelled { await server.stop() }
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    private var serverConfiguration: NameServer.Configuration {
        let standard = Endpoint(address: IPAddress(v4: 0x7f00_0001), port: 5_300)
        var configuration = NameServer.Configuration(
            zones: zones, listen: listen.isEmpty ? [standard] : listen, state: state)
        if !explainFrom.isEmpty { configuration.explainFrom = explainFrom }
        configuration.workers = workers ?? min(ProcessorCount.usable, 64)
        configuration.user = user
        configuration.cookieSecrets = cookieSecrets
        configuration.rateLimit = rrl == 0 ? nil : .init(answersPerSecond: rrl, slip: rrlSlip)
        if !rrlExempt.isEmpty { configuration.rateLimitExempt = rrlExempt }
        configuration.logEvery = logQueries ?? 0
        return configuration
    }

    private static func endpoint(_ text: String) throws -> Endpoint {
        guard let endpoint = Endpoint(text) else {
            throw ValidationError("'\(text)' is not an address and port, e.g. 127.0.0.1:5300 or [::1]:5300")
        }
        return endpoint
    }

    private static func sampling(_ text: String) throws -> Int {
        guard text.hasPrefix("1/"), let every = Int(text.dropFirst(2)), every > 0 else {
            throw ValidationError("'\(text)' is not a share of the queries; write 1/1000, or 1/1 for all")
        }
        return every
    }

    private static func block(_ text: String) throws -> CIDRBlock {
        guard let block = CIDRBlock(text) else {
            throw ValidationError("'\(text)' is not an address or prefix, e.g. 127.0.0.0/8 or ::1")
        }
        return block
    }
}
