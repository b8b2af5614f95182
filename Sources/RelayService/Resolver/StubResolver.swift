import LDNSKit
import NIOCore
import NIOPosix
import ReflectorModel

/// A node's own stub resolver: it queries the authoritative servers of one zone directly and asynchronously, never on
/// the packet path (design §4). It does not cache: the node decides when to query again.
///
/// Protection against forged answers: no recursion, a new socket with a random port for each query, random id, 0x20,
/// cookies. Truncated answers are retried over TCP. Servers are queried in turn, 400 ms each, 3 s in total.
public actor StubResolver {
    /// Maximum number of look-ups at once; more are refused and counted.
    public static let lookUpsMax = 256
    /// Maximum number of hosts taken from one answer; more are ignored.
    public static let hostsMax = 64
    private static let timeout = TimeSpan.seconds(3)
    /// Most TXT records are only for people, so a look-up waits no longer than this for them.
    private static let textTimeout = TimeSpan.seconds(1)
    private static let parallelAddressesMax = 8

    /// All counters since the start, by name.
    public nonisolated let counters: ResolverCounters
    /// The zone of the reflector names: lower case, without the final dot.
    public nonisolated let zone: String
    private let loop: any EventLoop
    private let queries: ServerQueries
    private let serials: ZoneSerials
    private var underWay: [ReflectorName: Task<LookUpResult, Never>] = [:]
    private var isShutDown = false
    private var needsV6 = false

    /// - Parameters:
    ///   - servers: authoritative servers of the zone; with none, every look-up fails.
    ///   - zone: for example `reflector.net`.
    public init(
        servers: [Endpoint], zone: String, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) {
        let counters = ResolverCounters()
        self.counters = counters
        let name = zone.lowercased()
        self.zone = name.hasSuffix(".") ? String(name.dropLast()) : name
        let loop = group.next()
        self.loop = loop
        queries = ServerQueries(
            servers: servers, zone: self.zone, exchange: QueryExchange(loop: loop, counters: counters))
        serials = ZoneSerials(zone: self.zone, queries: queries) { loop.instant }
    }

    /// Looks a reflector name up. A second call for the same name joins the running look-up.
    public func lookUp(_ name: ReflectorName) async -> LookUpResult {
        // A pattern of the zone would answer, or the ingest name of another stream, with the port of encoders.
        if case .candidates(let stream) = name, stream.isReserved { return .noSuchName(serial: nil) }
        if let task = underWay[name] { return await task.value }
        guard !isShutDown else { return .failed(.shutDown) }
        guard underWay.count < Self.lookUpsMax else {
            counters.add(to: .overloaded)
            return .failed(.overloaded)
        }
        counters.add(to: .lookUps)
        let task = Task { await resolve(name) }
        underWay[name] = task
        let result = await task.value
        underWay[name] = nil
        switch result {
        case .records: counters.add(to: .records)
        case .noSuchName: counters.add(to: .noSuchName)
        case .noData: counters.add(to: .noData)
        case .failed: counters.add(to: .failed)
        }
        return result
    }

    /// The addresses of a host of the zone, IPv4 first; empty if it has none or does not exist.
    ///
    /// - Parameter host: relative to the zone, for example `nyc-1`.
    public func addresses(ofHost host: String) async -> Result<[IPAddress], UnansweredLookUp> {
        guard !isShutDown else {
            return .failure(UnansweredLookUp(name: absolute(host), zone: zone, failure: .shutDown, problems: []))
        }
        return await addresses(of: absolute(host), until: loop.instant + Self.timeout).map { $0.map(\.address) }
    }

    /// Ends running look-ups; every later one fails.
    public func shutDown() {
        isShutDown = true
        for task in underWay.values { task.cancel() }
        Task { await serials.shutDown() }
    }

    private func resolve(_ name: ReflectorName) async -> LookUpResult {
        let owner = absolute(name.description)
        let start = loop.instant
        // The TXT record of a stream contains the portset, which the node needs.
        let textTimeout = if case .candidates = name { Self.timeout } else { Self.textTimeout }
        async let textOutcome = queries.ask(owner, LDNSType.txt, until: start + textTimeout)
        async let serial = serials.serial()
        switch await queries.ask(owner, LDNSType.srv, until: start + Self.timeout) {
        case .failure(let unanswered): return .failed(unanswered.failure)
        case .success(let outcome):
            switch outcome.reading {
            case .noSuchName(let serial): return .noSuchName(serial: serial)
            case .noData(let serial): return .noData(serial: serial)
            case .lame(let rcode): return .failed(.serverFailure(rcode: rcode))
            case .records(let services, let ttl):
                let hosts = await hosts(
                    services, additional: outcome.additional, ttl: ttl, until: start + Self.timeout)
                guard case .success((let resolved, let ttl)) = hosts else {
                    if case .failure(let failure) = hosts { return .failed(failure) }
                    return .failed(.noAddress)
                }
                let answered = await textOutcome
                let text = Self.text(answered)
                var answer = LookUpAnswer(hosts: resolved, ttlSeconds: ttl, text: text.strings, serial: await serial)
                if case .candidates(let stream) = name {
                    // A missing answer does not mean that there is no portset: the server may have stopped between two
                    // queries.
                    if let failure = Self.failure(of: answered) { return .failed(failure) }
                    answer.portset = text.portset(of: stream)
                }
                return .records(answer)
            }
        }
    }

    /// The hosts of SRV records with their addresses: from the additional section, otherwise looked up.
    private func hosts(
        _ records: [LDNSRecord], additional: [LDNSRecord], ttl: UInt32, until deadline: MonotonicInstant
    ) async -> Result<([ResolvedHost], UInt32), LookUpFailure> {
        let services = records.compactMap(\.service)
        // "A Target of "." means that the service is decidedly not available" (RFC 2782).
        if services.count == 1, services[0].target.isEmpty { return .success(([], ttl)) }
        let wanted = services.filter { !$0.target.isEmpty && $0.port != 0 }.prefix(Self.hostsMax)
        var found: [String: [(address: IPAddress, ttl: UInt32)]] = [:]
        for target in wanted.map(\.target) where found[target] == nil {
            found[target] = AnswerReading.addresses(of: target, in: additional)
        }
        var failure = LookUpFailure.noAddress
        let missing = found.filter { isIncomplete($0.value, beside: found) }.keys.sorted()
        for start in stride(from: 0, to: missing.count, by: Self.parallelAddressesMax) {
            let part = missing[start..<min(start + Self.parallelAddressesMax, missing.count)]
            await withTaskGroup { group in
                for target in part { group.addTask { (target, await self.addresses(of: target, until: deadline)) } }
                for await (target, result) in group {
                    switch result {
                    case .success(let addresses): if !addresses.isEmpty { found[target] = addresses }
                    case .failure(let unanswered): failure = unanswered.failure
                    }
                }
            }
        }
        var ttl = ttl
        var hosts: [ResolvedHost] = []
        for service in wanted {
            for (address, addressTTL) in found[service.target] ?? [] {
                ttl = min(ttl, addressTTL)
                hosts.append(
                    ResolvedHost(
                        name: relative(service.target), endpoint: Endpoint(address: address, port: service.port),
                        priority: service.priority, weight: service.weight))
            }
        }
        guard !hosts.isEmpty else { return .failure(failure) }
        hosts.sort { Self.key($0) < Self.key($1) }
        return .success((hosts, ttl))
    }

    /// True if a host may have addresses that did not fit into the additional section: it has no address, or it has no
    /// IPv6 address and either another host has one or the node is IPv6-only.
    private func isIncomplete(
        _ addresses: [(address: IPAddress, ttl: UInt32)], beside all: [String: [(address: IPAddress, ttl: UInt32)]]
    ) -> Bool {
        if addresses.isEmpty { return true }
        guard !addresses.contains(where: { !$0.address.isV4 }) else { return false }
        return needsV6 || all.values.contains { others in others.contains { !$0.address.isV4 } }
    }

    /// Sets whether a host needs an IPv6 address to be complete; true if the node has no IPv4 address.
    public func setNeedsV6(_ needsV6: Bool) { self.needsV6 = needsV6 }

    private static func key(_ host: ResolvedHost) -> (UInt16, String, Int, Endpoint) {
        (host.priority, host.name, host.endpoint.address.isV4 ? 0 : 1, host.endpoint)
    }

    /// The addresses (A and AAAA records) of an absolute name.
    private func addresses(
        of host: String, until deadline: MonotonicInstant
    ) async -> Result<[(address: IPAddress, ttl: UInt32)], UnansweredLookUp> {
        async let six = queries.ask(host, LDNSType.aaaa, until: deadline)
        let four = await queries.ask(host, LDNSType.a, until: deadline)
        var all: [(address: IPAddress, ttl: UInt32)] = []
        var failure: UnansweredLookUp?
        for result in [four, await six] {
            switch result {
            case .success(let outcome):
                guard case .records(let records, let ttl) = outcome.reading else { continue }
                // The owner may be the target of an alias.
                all += records.flatMap { AnswerReading.addresses(of: $0.owner, in: [$0]) }.map { ($0.address, ttl) }
            case .failure(let reason): failure = reason
            }
        }
        if all.isEmpty, let failure { return .failure(failure) }
        return .success(all)
    }

    /// Why no server gave a usable answer; nil if one did, even without records.
    private static func failure(
        of outcome: Result<ServerQueries.Outcome, UnansweredLookUp>
    ) -> LookUpFailure? {
        switch outcome {
        case .failure(let unanswered): return unanswered.failure
        case .success(let outcome):
            guard case .lame(let rcode) = outcome.reading else { return nil }
            return .serverFailure(rcode: rcode)
        }
    }

    private static func text(_ outcome: Result<ServerQueries.Outcome, UnansweredLookUp>) -> AnswerText {
        guard case .success(let outcome) = outcome, case .records(let records, _) = outcome.reading else {
            return AnswerText(strings: [])
        }
        return AnswerText(strings: records.flatMap { $0.strings ?? [] })
    }

    private func absolute(_ name: String) -> String {
        name.hasSuffix(".") ? String(name.dropLast()) : "\(name).\(zone)"
    }

    private func relative(_ name: String) -> String {
        name.hasSuffix("." + zone) ? String(name.dropLast(zone.count + 1)) : name + "."
    }
}
