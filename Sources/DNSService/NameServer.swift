import DNSAnswers
import DatagramIO
import IdentityKeys
import Logging
import ReflectorModel
import TransactionSigning
import ZoneCompiler

/// An authoritative name server for the zones of a directory, embeddable:
///
///     let server = NameServer(configuration: .init(zones: "zones", listen: [Endpoint("127.0.0.1:5300")!]))
///     try await server.run()      // until `stop()` or the task is cancelled
///
/// UDP is answered by `workers` loops with threads of their own, TCP by one event loop. A change of the directory is
/// accepted or refused as a whole; if it is refused, the last good generation is still served.
public final class NameServer: Sendable {
    /// The configuration of a name server.
    public struct Configuration: Sendable {
        /// Directory of the zone files.
        public var zones: String
        /// Addresses and ports for both UDP and TCP; port 0 selects a free one.
        public var listen: [Endpoint]
        /// Directory in which serials, generations and overrides are kept across restarts; nil keeps none of them.
        public var state: String?
        /// The server's certificate and key, with which it probes the set reflectors of its zone. Without it there is no
        /// probing.
        public var identity: IdentityFolder?
        /// Clients that may query `explain` and `_status`. Nil allows this machine: loopback and the addresses of its
        /// interfaces, since these are the sources of local queries to the server's public address.
        public var explainFrom: [CIDRBlock]?
        /// The answer to NSID, `id.server` and `hostname.bind`.
        public var nsid = "reflector"
        /// `version.bind`.
        public var version = "reflector"
        /// Number of UDP loops, each with a socket for every address. Several loops share the port by SO_REUSEPORT.
        public var workers = 1
        /// Resource limits of TCP clients.
        public var tcp = TCPLimits()
        /// Which clients may transfer zones.
        public var transfers = TransferPolicy()
        /// Secondaries that are notified of new serials.
        public var notify: [NotifyTarget] = []
        /// Maximum number of records of a zone that can be transferred.
        public var transferRecordsMax = AliasedZone.recordsMax
        /// File with the secrets of server cookies (`CookieSecretFile`), read again on every reload; nil uses a random
        /// secret that only this process knows.
        public var cookieSecrets: String?
        /// Rate limit of replies over UDP, for all workers together; nil sends every reply.
        public var rateLimit: ResponseLimiter.Configuration?
        /// Clients that the limit does not apply to.
        public var rateLimitExempt = CIDRBlock.loopback
        /// The account to switch to once all ports are bound; nil keeps the account that started the server.
        public var user: String?
        /// Each worker logs one in this many queries; 0 logs none.
        public var logEvery = 0

        public init(zones: String, listen: [Endpoint], state: String? = nil) {
            self.zones = zones
            self.listen = listen
            self.state = state
        }
    }

    /// The status of a name server.
    public struct Status: Codable, Sendable, Equatable {
        public struct Zone: Codable, Sendable, Equatable {
            public var name: String
            public var serial: UInt32
            public var rules: Int
        }
        public var zones: [Zone]
        /// When the current content was first served, in seconds since 1970.
        public var servedSince: Int64
        /// Number of generations accepted since the start.
        public var generation: Int
        /// Number of generations refused since the start.
        public var refusals: Int
        /// Problems of the newest generation if it was refused, as `file:line:column: …`; empty if it is served.
        public var problems: [String]
        /// Whether hosts are probed, and whether the prober is in panic mode.
        public var probing: String
        /// The states of the set reflectors.
        public var hosts: [Host]
        /// Overrides of hosts and sites in force.
        public var overrides: [Override]
        /// Overrides of streams' entrypoints in force.
        public var entrypointOverrides: [EntrypointOverride] = []
        /// Streams that another candidate than the first leads, or that nobody leads.
        public var leads: [Lead] = []
        /// The last transfer of each zone to each secondary.
        public var secondaries: [Secondary] = []
    }

    /// Why a server does not start.
    public enum StartError: Error, CustomStringConvertible {
        /// The files have errors; lists every problem.
        case zones([String])
        /// No port was free for both protocols.
        case ports(Endpoint)
        /// A configured key is not in the file of keys.
        case unknownKey(String)
        public var description: String {
            switch self {
            case .zones(let problems): problems.joined(separator: "\n")
            case .ports(let endpoint): "\(endpoint): no port free for both UDP and TCP"
            case .unknownKey(let name): "key '\(name)' is not in the file of keys (--tsig-keys)"
            }
        }
    }

    private let configuration: Configuration
    private let logger: Logger
    let keeper: ZoneKeeper
    let overrideRegistry: OverrideRegistry
    private let pending = PendingChanges()
    private let archive: GenerationArchive
    private let transferLog = TransferLog()
    private let running = RunningServer()

    public init(configuration: Configuration, logger: Logger = Logger(label: "nameserver")) {
        self.configuration = configuration
        self.logger = logger
        archive = GenerationArchive(directory: configuration.state, logger: logger)
        keeper = ZoneKeeper(
            directory: configuration.zones, store: configuration.state.map { SerialStore(directory: $0) },
            archive: archive, identity: .init(server: configuration.nsid, version: configuration.version),
            isTransferred: !configuration.transfers.rules.isEmpty, recordsMax: configuration.transferRecordsMax,
            logger: logger)
        let pending = pending
        overrideRegistry = OverrideRegistry(
            store: configuration.state.map { OverrideStore(directory: $0) }, logger: logger, at: WallClock.seconds
        ) { pending.overridesChanged($0) }
    }

    /// Serves until `stop()` or until the task is cancelled.
    /// - Parameter ready: called once, when all sockets are open and answer, with the addresses and their actual ports.
    /// - Throws: `StartError`, or the error of another step of the start, such as opening an address.
    public func run(ready: @escaping @Sendable ([Endpoint]) -> Void = { _ in }) async throws {
        // This must come before anything is written: the user could not replace files that root creates in the state
        // directory.
        let privileges = try configuration.user.map { user throws(Privileges.Failure) in try Privileges(user: user) }
        if let state = configuration.state { try privileges?.own(state) }
        let cookies = try configuration.cookieSecrets.map { path throws(CookieSecretFile.Failure) in
            try CookieSecretFile.read(path)
        }
        guard await keeper.readAhead() else { throw StartError.zones(await keeper.problems) }
        let unheard = await askForSerials()
        let health = try await startProbing()
        defer { health?.stop() }
        let hostStates = HostStates(overrides: await overrideRegistry.entries).updated(by: pending.take())
        let first = await keeper.update(readsFiles: true, hostStates: hostStates, unixTime: WallClock.seconds)
        guard let engine = first.engine else { throw StartError.zones(await keeper.problems) }
        let transferService = TransferService(configuration, archive: archive, log: transferLog, logger: logger)
        await transferService.serve(first.zones)
        let queryLog = QueryLog(logger: logger)
        let listeners = try await Listeners.open(
            configuration, engine: engine,
            settings: settings(cookies: cookies ?? CookieSecretFile.random(), sample: queryLog.take),
            transferService: transferService, logger: logger)
        let notifier: Notifier?
        do {
            notifier = try Notifier(configuration, from: listeners.endpoints, log: transferLog, logger: logger)
        } catch {
            await listeners.close()
            throw error
        }
        let watch: DirectoryWatch
        do {
            watch = try DirectoryWatch(configuration.zones, logger: logger) { [pending] in pending.filesChanged() }
        } catch {
            notifier?.stop()
            await listeners.close()
            throw error
        }
        do {
            if let state = configuration.state { try privileges?.own(state) }
            try privileges?.drop(readable: [configuration.zones], writable: configuration.state.map { [$0] } ?? [])
        } catch {
            notifier?.stop()
            watch.stop()
            await listeners.close()
            throw error
        }
        await running.begin(listeners, health, await keeper.status)
        let logging = Task { await queryLog.run() }
        defer { logging.cancel() }
        logger.info(
            "ready",
            metadata: ["listen": "\(listeners.endpoints.map(\.description).joined(separator: ","))"])
        ready(listeners.endpoints)
        notifier?.announce(first.zones)
        await transferService.keep(first.zones)
        await withTaskCancellationHandler {
            async let expiry: Void = expireOverrides()
            async let serials: Void = keepSerials(unheard)
            await takeChanges { outcome, areFilesChanged in
                // Transfers first: a secondary that sees a new serial in an answer may request the zone at once.
                if outcome.isSerialRaised { await transferService.serve(outcome.zones) }
                if let engine = outcome.engine { await listeners.replace(engine) }
                if areFilesChanged { reloadCookies(listeners) }
                if areFilesChanged, let health, let zone = configuration.identity?.content.zone {
                    health.follow(await keeper.files.first { $0.zone == zone })
                }
                await running.note(await keeper.status)
                guard outcome.isSerialRaised else { return }
                notifier?.announce(outcome.zones)
                await transferService.keep(outcome.zones)
            }
            await running.end()
            _ = await (expiry, serials)
        } onCancel: {
            pending.finish()
        }
        watch.stop()
        notifier?.stop()
        await listeners.close()
        logger.info("stopped")
    }

    /// Asks secondaries and the other servers of the NS sets for their serials, before ours is chosen. Returns the
    /// secondaries that did not answer.
    private func askForSerials() async -> [SerialInquiry.Question] {
        let questions = SerialInquiry.questions(await keeper.contentsAhead, configuration)
        guard !questions.isEmpty else { return [] }
        // The stored serials are right unless they were restored from a backup, so a shorter wait is enough.
        let isKept = await keeper.isStateComplete
        let answers = await SerialInquiry.ask(questions, within: isKept ? 0.5 : 1.5)
        _ = await keeper.note(answers)
        let heard = Set(answers.map(\.question))
        if !isKept, answers.isEmpty {
            logger.warning(
                """
                no serial is kept, and no other server of the zones says which it has: serials start from the files and \
                the clock; should secondaries have higher ones, they ignore this server until `reflector zone serial --raise`
                """,
                metadata: ["asked": "\(questions.count)"])
        }
        return questions.filter { $0.isSecondary && !heard.contains($0) }
    }

    /// Keeps asking the secondaries that did not answer at the start, until each has answered. Also retries failed
    /// writes of serials, and raises serials on an operator's request.
    private func keepSerials(_ questions: [SerialInquiry.Question]) async {
        var unheard = questions
        var ticks = 0
        while await running.listeners != nil {
            try? await Task.sleep(for: .milliseconds(250))
            ticks += 1
            if ticks % 20 == 0 { await keeper.retrySaves() }
            if ticks % 4 == 0, await keeper.asksForRaise { pending.filesChanged() }
            guard ticks % 120 == 0, !unheard.isEmpty else { continue }
            let answers = await SerialInquiry.ask(unheard, within: 1)
            let heard = Set(answers.map(\.question))
            unheard.removeAll { heard.contains($0) }
            if await keeper.note(answers) { pending.filesChanged() }
        }
    }

    private func settings(
        cookies: ServerCookies?, sample: @escaping @Sendable (QuerySample) -> Void
    ) -> QueryLoop.Settings {
        var limiter = configuration.rateLimit
        // The kernel distributes the queries of a network over the workers, so each worker gets a part of the limit.
        let workers = max(configuration.workers, 1)
        if let whole = limiter?.answersPerSecond { limiter?.answersPerSecond = max((whole + workers - 1) / workers, 1) }
        return QueryLoop.Settings(
            privileged: configuration.privileged, exempt: configuration.rateLimitExempt, limiter: limiter,
            cookies: cookies, sampleEvery: configuration.logEvery, sample: sample)
    }

    /// Reads the cookie secrets again. If the file can't be used, the secrets stay unchanged.
    private func reloadCookies(_ listeners: Listeners) {
        guard let path = configuration.cookieSecrets else { return }
        do throws(CookieSecretFile.Failure) {
            listeners.replace(try CookieSecretFile.read(path))
        } catch {
            logger.error("cookie secrets not loaded: \(error)")
        }
    }

    /// Starts probing and waits for the first round, so that the first answers leave out dead hosts.
    private func startProbing() async throws -> HealthService? {
        guard let identity = configuration.identity else {
            logger.notice("set reflectors are not probed: this name server has no identity (--identity)")
            return nil
        }
        let content = await keeper.contentsAhead.first { $0.zone == identity.content.zone }
        if content == nil {
            logger.warning(
                "the identity is of a zone that is not served here, so no set reflector is probed",
                metadata: ["zone": "\(identity.content.zone)"])
        }
        let health = try HealthService(identity: identity, zone: content, logger: logger) { [pending] in
            pending.healthChanged($0)
        }
        await health.firstRound()
        return health
    }

    /// Applies all pending changes together, as often as the serial rate limit allows, until `stop()`.
    /// - Parameter use: receives the result.
    private func takeChanges(_ use: (ZoneKeeper.Outcome, _ areFilesChanged: Bool) async -> Void) async {
        var limiter = SerialRateLimiter()
        for await _ in pending.signals {
            let next = limiter.next(at: .now)
            if next > .now { try? await Task.sleep(until: next, clock: .continuous) }
            let batch = pending.take()
            if batch.isEmpty { continue }
            let isStandingChanged = batch.health != nil || batch.overrides != nil
            let outcome = await keeper.update(
                readsFiles: batch.areFilesChanged,
                hostStates: isStandingChanged ? await keeper.hostStates.updated(by: batch) : nil,
                unixTime: WallClock.seconds)
            if outcome.isSerialRaised { limiter.raised(at: .now) }
            await use(outcome, batch.areFilesChanged)
        }
    }

    private func expireOverrides() async {
        while await running.listeners != nil {
            await overrideRegistry.expire(at: WallClock.seconds)
            try? await Task.sleep(for: .milliseconds(250))
        }
    }

    /// Reads the directory again, as on SIGHUP.
    public func reload() async { pending.filesChanged() }

    /// Replaces certificate, key and operators for probing, if the server probes. The name and the zone must be the same.
    public func replace(_ identity: IdentityFolder) async { await running.health?.replace(identity) }

    /// Replaces the TSIG keys that verify and sign transfers.
    public func replaceTransferKeys(_ keys: TSIGKeyring) { configuration.transfers.keys = keys }

    /// Makes `run` return.
    public func stop() async { pending.finish() }

    /// The current state of answers and transfers: a generation counts as accepted once every loop answers from it.
    public var status: Status {
        get async {
            let told = await running.status
            var status = if let told { told } else { await keeper.status }
            status.secondaries = transferLog.secondaries
            return status
        }
    }

    /// All samples for `/metrics`; other parts of the server append theirs here.
    public var metrics: [MetricSample] {
        get async {
            var samples = await status.samples(unixTime: WallClock.seconds) + transferLog.samples
            if let listeners = await running.listeners { samples += await listeners.samples }
            if let health = await running.health {
                samples += await health.samples
            } else {
                samples += LeadCounters().samples
            }
            return samples
        }
    }

    /// Counts since the start, by name: `udp_answered`, `tcp_bad_question` and so on.
    public var counters: [String: UInt64] {
        get async {
            guard let listeners = await running.listeners else { return [:] }
            var result = await listeners.counters
            if let health = await running.health { result.merge(await health.counters) { $0 &+ $1 } }
            result.merge(transferLog.counters) { $0 &+ $1 }
            let status = await status
            result["generations_taken"] = UInt64(status.generation)
            result["generations_refused"] = UInt64(status.refusals)
            result["serials_not_kept"] = await keeper.serialsNotKept
            return result
        }
    }
}

extension NameServer.Configuration {
    /// All clients that may query `explain` and `_status`.
    var privileged: [CIDRBlock] {
        explainFrom ?? CIDRBlock.loopback + LocalAddresses.all.compactMap { CIDRBlock("\($0)") }
    }
}

/// State that exists only while a server runs.
private actor RunningServer {
    private(set) var listeners: Listeners?
    private(set) var health: HealthService?
    /// The status of the generation that is being answered, not of one being prepared.
    private(set) var status: NameServer.Status?

    func begin(_ listeners: Listeners, _ health: HealthService?, _ status: NameServer.Status) {
        (self.listeners, self.health, self.status) = (listeners, health, status)
    }

    func note(_ status: NameServer.Status) { self.status = status }

    func end() { (listeners, health) = (nil, nil) }
}
