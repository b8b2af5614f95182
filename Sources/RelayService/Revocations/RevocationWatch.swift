import IdentityKeys
import LDNSKit
import Logging
import NIOCore
import NIOPosix
import NodeIdentity
import ReflectorModel

/// Keeps the newest revocation list of the zone: asks the zone's name servers about once a second, fetches the list when
/// a server announces a newer one, verifies it, saves it in the state folder and hands it on.
///
/// The servers are asked in turn, so that neither a dead server nor one that is behind delays a list for longer than one
/// turn: a newer list counts, whichever server has it. An announcement proves nothing, so a forged one costs one fetch
/// and changes nothing; there is at most one fetch a turn.
public actor RevocationWatch {
    /// What a watch is made from.
    public struct Configuration: Sendable {
        /// Lower case, without the final dot.
        public var zone: String
        /// The zone's name servers.
        public var servers: [Endpoint]
        /// The operators whose lists count.
        public var operators: CertificateAuthorities
        /// Where the list is kept for the next start; nil: nowhere.
        public var stateDirectory: String?
        /// Shortest time between the beginnings of two turns. A turn begins up to a fifth later, so that nodes do not
        /// ask all at once.
        public var interval: Duration = .seconds(1)

        public init(zone: String, servers: [Endpoint], operators: CertificateAuthorities, stateDirectory: String?) {
            self.zone = zone
            self.servers = servers
            self.operators = operators
            self.stateDirectory = stateDirectory
        }
    }

    /// For one query to one server; a query over TCP is given up after 1 s, one over UDP after 400 ms.
    private static let timeout = TimeSpan.seconds(1)
    /// How long a list that failed verification is not fetched again from the same server.
    private static let refusalTime = Duration.seconds(30)
    /// Without an answer for this long, the log says so.
    private static let silenceMax = Duration.seconds(10)

    public nonisolated let counters = RevocationCounters()
    /// The list that an earlier run has saved, or nil: in force before the first answer. `run` hands it on too.
    public nonisolated let restored: RevocationList?

    private let zone: String
    private let interval: Duration
    private let loop: any EventLoop
    private let queries: ServerQueries
    private let serverNames: [String]
    private let file: SavedRevocations?
    private let logger: Logger
    private let onList: @Sendable (RevocationList) -> Void
    private var operators: CertificateAuthorities
    private var list: RevocationList?
    /// The server to ask next.
    private var turn = 0
    /// For each server, the announced number of a list that failed verification, and when it is fetched again.
    private var refusals: [(sequence: UInt64, until: ContinuousClock.Instant)?]
    /// For each server, what was logged last about a rejected list: it would be the same every turn.
    private var complaints: [String?]
    private var answeredAt = ContinuousClock.now
    private var isSilenceReported = false

    /// - Parameter onList: receives the saved list when `run` begins, and then each newer one, in order.
    public init(
        _ configuration: Configuration, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
        logger: Logger, onList: @escaping @Sendable (RevocationList) -> Void
    ) {
        zone = configuration.zone
        interval = configuration.interval
        operators = configuration.operators
        loop = group.next()
        queries = ServerQueries(
            servers: configuration.servers, zone: configuration.zone,
            exchange: QueryExchange(loop: loop, counters: ResolverCounters()))
        serverNames = configuration.servers.map(\.description)
        refusals = configuration.servers.map { _ in nil }
        complaints = configuration.servers.map { _ in nil }
        self.logger = logger
        self.onList = onList
        file = configuration.stateDirectory.map { SavedRevocations(directory: $0) }
        let (saved, problem) = file?.load(zone: configuration.zone, operators: configuration.operators) ?? (nil, nil)
        if let problem { logger.warning("saved revocation list not used", metadata: ["problem": "\(problem)"]) }
        restored = saved
        list = saved
        if let saved { counters.set(saved.content.sequence, of: .sequence) }
    }

    /// Asks until the task is cancelled.
    public func run() async {
        if let restored { onList(restored) }
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            let next = ContinuousClock.now + interval * Double.random(in: 1...1.2, using: &random)
            await ask()
            guard (try? await Task.sleep(until: next)) != nil else { return }
        }
    }

    /// Lists of these operators count from now on. A list of somebody who is no longer one of them is dropped: whoever has
    /// stolen his key could have given it the highest number.
    public func replaceOperators(_ operators: CertificateAuthorities) {
        self.operators = operators
        if let list, !operators.accepts(list, zone: zone, LibcryptoIdentityCrypto()) {
            self.list = nil
            counters.set(0, of: .sequence)
            logger.notice(
                "revocation list dropped: its operator is gone", metadata: ["list": "\(list.content.sequence)"])
        }
        refusals = refusals.map { _ in nil }
    }

    /// One turn: asks servers until one answers, and fetches its list if that is newer.
    func ask() async {
        counters.add(to: .polls)
        for _ in serverNames.indices {
            guard !Task.isCancelled else { return }
            let server = turn
            turn = (turn + 1) % serverNames.count
            let name = "\(RevocationRecords.announcementName).\(zone)"
            let answer = await queries.ask(server: server, name, LDNSType.txt, until: loop.instant + Self.timeout)
            guard case .success(let reading) = answer, let announced = Self.sequence(reading) else { continue }
            noteAnswer()
            guard announced > list?.content.sequence ?? 0 else { return }
            if let refusal = refusals[server], refusal.sequence == announced, ContinuousClock.now < refusal.until {
                return
            }
            return await fetch(announced, from: server)
        }
        guard !Task.isCancelled else { return }
        counters.add(to: .failures)
        reportSilence()
    }

    /// The announced number, 0 if the zone has no list; nil if the server gives no usable answer.
    private static func sequence(_ reading: AnswerReading) -> UInt64? {
        switch reading {
        case .records(let records, _):
            RevocationRecords.sequence(announcedIn: records.flatMap { $0.strings ?? [] }) ?? 0
        case .noSuchName, .noData: 0
        case .lame: nil
        }
    }

    private func fetch(_ announced: UInt64, from server: Int) async {
        let name = "\(RevocationRecords.listName).\(zone)"
        let answer = await queries.ask(
            server: server, name, LDNSType.txt, over: .stream, until: loop.instant + Self.timeout)
        guard case .success(.records(let records, _)) = answer, let record = records.first, records.count == 1 else {
            if !Task.isCancelled { counters.add(to: .failures) }
            return
        }
        do throws(IdentityFormatError) {
            let fetched = try RevocationRecords.list(in: record.data)
            guard fetched.content.sequence > list?.content.sequence ?? 0 else {
                return reject(
                    server,
                    "the name server announces a newer list and has list \(fetched.content.sequence): is it behind? "
                        + "restart it if this persists")
            }
            guard operators.accepts(fetched, zone: zone, LibcryptoIdentityCrypto()) else {
                refusals[server] = (announced, .now + Self.refusalTime)
                return reject(
                    server,
                    "list \(fetched.content.sequence) of \(fetched.content.zone) is not signed by an "
                        + "operator of this node: sign it with a key in the file `operators`, and look who wrote it")
            }
            accept(fetched, from: server)
        } catch {
            refusals[server] = (announced, .now + Self.refusalTime)
            reject(server, "not a revocation list (\(error)): do all name servers and nodes run the same release?")
        }
    }

    private func accept(_ fetched: RevocationList, from server: Int) {
        list = fetched
        refusals = refusals.map { _ in nil }
        complaints = complaints.map { _ in nil }
        counters.set(fetched.content.sequence, of: .sequence)
        onList(fetched)
        logger.notice(
            "revocation list in force",
            metadata: [
                "list": "\(fetched.content.sequence)", "revoked": "\(fetched.content.serials.count)",
                "server": "\(serverNames[server])",
            ])
        guard let problem = file?.save(fetched) else { return }
        logger.error("revocation list not saved: a restart begins without it", metadata: ["problem": "\(problem)"])
    }

    private func reject(_ server: Int, _ why: String) {
        counters.add(to: .rejected)
        guard complaints[server] != why else { return }
        complaints[server] = why
        logger.error(
            "revocation list rejected: the one in force stays",
            metadata: ["server": "\(serverNames[server])", "why": "\(why)", "list": "\(list?.content.sequence ?? 0)"])
    }

    private func noteAnswer() {
        answeredAt = .now
        guard isSilenceReported else { return }
        isSilenceReported = false
        logger.notice("a name server answers for the revocation list again")
    }

    private func reportSilence() {
        guard !isSilenceReported, ContinuousClock.now - answeredAt > Self.silenceMax else { return }
        isSilenceReported = true
        logger.error(
            "no name server answers for the revocation list: revocations do not reach this node; check the name servers",
            metadata: ["servers": "\(serverNames.joined(separator: ","))", "list": "\(list?.content.sequence ?? 0)"])
    }
}

extension RevocationWatch.Configuration {
    /// The zone, name servers and state folder of a node.
    public init(_ node: NodeConfiguration, operators: CertificateAuthorities) {
        let zone = node.zone.lowercased()
        self.init(
            zone: zone.hasSuffix(".") ? String(zone.dropLast()) : zone, servers: node.servers, operators: operators,
            stateDirectory: node.stateDirectory)
    }
}
