import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// Edges of one region, a set reflector as their parent, and an entrypoint with one stream.
struct RegionBench {
    private var feed: RegionFeed
    private(set) var edges: [RelayNode] = []
    var bench: Bench { feed.bench }
    var stream: StreamName { feed.stream }

    static let region = RegionID(1_283)
    static func neighbour(_ index: Int) -> RegionNeighbour {
        RegionNeighbour(name: "edge-\(index)", endpoint: Bench.endpoint(20 + UInt32(index)))
    }

    /// Changes the configuration of each edge.
    private let change: (inout RelayConfiguration) -> Void

    init(_ count: Int, _ change: @escaping (inout RelayConfiguration) -> Void = { _ in }) throws {
        self.change = change
        let set = ResolvedHost(name: "set-1", endpoint: Bench.endpoint(10), priority: 0, weight: 1)
        let sets = LookUpResult.records(LookUpAnswer(hosts: [set], ttlSeconds: 20, serial: 1))
        feed = try RegionFeed(sets: sets)
        bench.answers[.parents(.first, Self.region, RegionFeed.portset)] = sets
        _ = bench.add("set-1", .set, 10)
        for index in 0..<count { edges.append(add(index, of: count)) }
        feed.begin()
    }

    func add(_ index: Int, of count: Int, certified region: RegionID = region) -> RelayNode {
        let identity = SimulatedIdentity(
            name: "edge-\(index)", .edge, .edge(region), operatorKey: Bench.operatorKey)
        return bench.add("edge-\(index)", .edge, 20 + UInt32(index), region: Self.region, identity: identity) {
            $0.neighbours = (0..<count).filter { $0 != index }.map(Self.neighbour)
            change(&$0)
        }
    }

    mutating func run(for span: TimeSpan) { feed.run(for: span) }
    func want(_ indices: Int...) { feed.want(at: indices.map { edges[$0] }) }

    /// The edges that fetch the stream from the set reflector, and those that fetch it from another edge.
    var outside: [Int] { fetching { $0.rank > 0 } }
    var inside: [Int] { fetching { $0.rank == 0 } }
    var leaders: [Int] { edges.indices.filter { edges[$0].leadsInRegion(stream) } }

    /// The edges that take the stream from its group.
    var onLAN: [Int] { edges.indices.filter { edges[$0].snapshot.paths.contains(where: \.isOnLAN) } }

    private func fetching(_ isMeant: (RelaySnapshot.Path) -> Bool) -> [Int] {
        edges.indices.filter { edges[$0].snapshot.paths.contains { $0.isLive && isMeant($0) } }
    }
}
