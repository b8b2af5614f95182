import DNSAnswers
import DatagramIO
import IdentityKeys
import Logging
import NodeIdentity
import PacketSealing
import ReflectorModel
import ZoneCompiler

/// Runs the prober of a name server on a loop of its own and publishes the targets' health.
struct HealthService: Sendable {
    /// Maximum time that the name server waits for the first probes before it starts to answer.
    static let warmUp = Duration.seconds(1)

    private let loop: DatagramLoop
    private let handler: LoopBound<ProbeLoop>
    private let completed: AsyncStream<Void>

    /// Starts probing.
    ///
    /// - Parameters:
    ///   - identity: of this name server.
    ///   - zone: the identity's zone, with the set reflectors to probe; nil if it is not served.
    ///   - changed: called on every change of the targets' states or of the leads that they report.
    init(
        identity: IdentityFolder, zone: ZoneContent?, logger: Logger,
        changed: @escaping @Sendable (ProberReport) -> Void
    ) throws {
        var options = DatagramLoop.Options()
        options.receiveBufferBytes = 4_096
        let loop = try DatagramLoop(options: options)
        var sockets: [DatagramSocket] = []
        for address in [IPAddress(v4: 0), IPAddress(high: 0, low: 0)] {
            // A machine without an address family can't probe targets of that family.
            guard let socket = try? DatagramSocket(bind: Endpoint(address: address, port: 0), options: .queries) else {
                continue
            }
            try loop.add(socket)
            sockets.append(socket)
        }
        var seed = SystemRandomNumberGenerator()
        let crypto = try LibcryptoPacketCrypto()
        let (completed, complete) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let handler = ProbeLoop(
            loop: loop, identity: identity, crypto: crypto, seed: seed.next(), sockets: sockets, logger: logger
        ) { change in
            if change.isHealthChanged { Self.log(change.report, logger) }
            if change.areLeadsChanged { Self.log(change.report.leads, logger) }
            changed(change.report)
            if change.isComplete { complete.finish() }
        }
        self.loop = loop
        self.completed = completed
        self.handler = try loop.start(handler: handler, name: "probes")
        follow(zone)
    }

    /// Waits until every target has a first result, but at most `warmUp`.
    func firstRound() async {
        let completed = completed
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in completed {} }
            group.addTask { try? await Task.sleep(for: Self.warmUp) }
            await group.next()
            group.cancelAll()
        }
    }

    /// The files of the zone have changed: other targets, or another revocation list.
    func follow(_ zone: ZoneContent?) {
        let handler = handler
        let targets = zone?.probeTargets ?? []
        let revocations = zone?.revocationData.flatMap { try? RevocationRecords.list(in: $0) }
        let files = zone.map { StreamWitnesses($0) }
        loop.execute {
            handler.value.replace(revocations)
            handler.value.setTargets(targets, files)
        }
    }

    /// Replaces certificate, key and operators.
    func replace(_ identity: IdentityFolder) {
        let handler = handler
        loop.execute { handler.value.replace(identity) }
    }

    var counters: [String: UInt64] {
        get async {
            let handler = handler
            return await loop.query { handler.value.counters } ?? [:]
        }
    }

    /// Metrics of the leads that set reflectors report.
    var samples: [MetricSample] {
        get async {
            let handler = handler
            return (await loop.query { handler.value.leadCounters } ?? LeadCounters()).samples
        }
    }

    func stop() { loop.stop() }

    private static func log(_ leads: LeadReport, _ logger: Logger) {
        let named = leads.leads.prefix(loggedLeadsMax).map { "\($0.stream)=\($0.host ?? "nobody")" }
        logger.notice(
            "leads",
            metadata: [
                "streams": "\(leads.leads.count)", "orphaned": "\(leads.orphaned)",
                "first": "\(named.joined(separator: ","))",
            ])
    }

    /// Number of leads that a log line names.
    private static let loggedLeadsMax = 5

    private static func log(_ report: ProberReport, _ logger: Logger) {
        let dead = report.health.filter { $0.value == .dead }.map(\.key.name).sorted()
        let unheard = report.health.filter { $0.value == .unprobed }.map(\.key.name).sorted()
        var metadata: Logger.Metadata = ["probing": "\(report.probing)", "dead": "\(dead.joined(separator: ","))"]
        if !unheard.isEmpty { metadata["not heard yet"] = "\(unheard.joined(separator: ","))" }
        if case .frozen = report.probing {
            logger.error("prober in panic mode: host states frozen", metadata: metadata)
        } else {
            logger.notice("health", metadata: metadata)
        }
    }
}
