import DNSTestClient
import LDNSKit

/// Sends all servers the same queries and counts the differences.
struct DifferentialRun {
    /// Maximum number of failures that are described in full.
    private static let examplesMax = 40

    private let ours: BatchExchange
    private let peers: [(server: PeerServer, exchange: BatchExchange)]
    private var maker: QueryMaker
    private let seed: UInt64
    private var asked = 0
    private var kinds: [DifferentialQuery.Kind: Int] = [:]
    private var permitted: [String: Int] = [:]
    private(set) var failures = 0
    private(set) var examples: [String] = []
    /// Failures by difference.
    private var groups: [String: Int] = [:]

    init(ours: (address: String, port: UInt16), peers: [PeerServer], seed: UInt64) throws {
        let zone = DifferentialZones.names[0]
        self.ours = try BatchExchange(ours.address, port: ours.port, zone: zone)
        self.peers = try peers.map { ($0, try BatchExchange($0.address, port: $0.port, zone: zone)) }
        maker = QueryMaker(seed: seed)
        self.seed = seed
    }

    mutating func run(_ count: Int) throws {
        while asked < count {
            let queries = (0..<min(BatchExchange.batchMax, count - asked)).map { _ in maker.next() }
            let bytes = queries.map(\.bytes)[...]
            let mine = try ours.ask(bytes)
            for (server, exchange) in peers {
                let theirs = try exchange.ask(bytes)
                for (number, query) in queries.enumerated() {
                    compare(query, mine[number], theirs[number], server.name)
                }
            }
            for query in queries { kinds[query.kind, default: 0] += 1 }
            asked += queries.count
        }
    }

    private mutating func compare(_ query: DifferentialQuery, _ mine: [UInt8]?, _ theirs: [UInt8]?, _ peer: String) {
        guard mine != theirs else { return }
        do {
            let a = try mine.map { try CanonicalReply($0, query) }
            let b = try theirs.map { try CanonicalReply($0, query) }
            let difference = CanonicalReply.difference(a, b)
            guard !difference.isEmpty else { return }
            let rule = PermittedDifference.all.first { rule in
                (rule.peer == nil || rule.peer == peer) && rule.isAllowed(query, a, b)
            }
            if let rule {
                permitted[rule.title, default: 0] += 1
            } else {
                let text =
                    "\(query.description)\n  ours \(a.map { $0.description } ?? "nothing")\n  \(peer) "
                    + (b.map { $0.description } ?? "nothing")
                fail("\(peer) \(query.kind) " + difference, text)
            }
        } catch {
            fail("\(peer) \(query.kind) unreadable", "\(query.description)\n  \(peer): \(error)")
        }
    }

    private mutating func fail(_ group: String, _ example: String) {
        failures += 1
        groups[group, default: 0] += 1
        if groups[group, default: 0] <= 3, examples.count < Self.examplesMax {
            examples.append("[\(group)] " + example)
        }
    }

    /// A report of queries and differences, to print.
    var report: String {
        var lines = [
            "\(asked) queries, seed \(seed): "
                + DifferentialQuery.Kind.allCases.map {
                    "\(kinds[$0] ?? 0) \($0)"
                }.joined(separator: ", ")
        ]
        for rule in PermittedDifference.all {
            lines.append("  permitted \(permitted[rule.title] ?? 0) × \(rule.title): \(rule.reason)")
        }
        for (group, count) in groups.sorted(by: { $0.value > $1.value }) {
            lines.append("  differs \(count) × \(group)")
        }
        lines.append("  \(failures) differences that are not permitted")
        return lines.joined(separator: "\n")
    }
}
