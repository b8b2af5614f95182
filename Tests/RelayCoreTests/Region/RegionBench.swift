import NodeIdentity
import ReflectorModel
import ReflectorSimulation
import RelayWire
import Testing

@testable import RelayCore

/// Edges of one region, a set reflector as their parent, and an entrypoint with one stream.
struct RegionBench {
    let bench = Bench()
    let stream: StreamName
    private(set) var edges: [RelayNode] = []
    private let entrypoint: RelayNode
    private var number: UInt64 = 0

    static let region = RegionID(1_283)
    static func neighbour(_ index: Int) -> RegionNeighbour {
        RegionNeighbour(name: "edge-\(index)", endpoint: Bench.endpoint(20 + UInt32(index)))
    }

    /// Changes the configuration of each edge.
    private let change: (inout RelayConfiguration) -> Void

    init(_ count: Int, _ change: @escaping (inout RelayConfiguration) -> Void = { _ in }) throws {
        self.change = change
        stream = try #require(StreamName("live/news"))
        let set = ResolvedHost(name: "set-1", endpoint: Bench.endpoint(10), priority: 0, weight: 1)
        let own = ResolvedHost(name: "ep-1", endpoint: Bench.endpoint(1), priority: 0, weight: 1)
        let sets = LookUpResult.records(LookUpAnswer(hosts: [set], ttlSeconds: 20, serial: 1))
        bench.answers[.announceTargets(host: "ep-1")] = sets
        bench.answers[.rootSets(PortsetID(7))] = sets
        bench.answers[.parents(.first, Self.region, PortsetID(7))] = sets
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(hosts: [own], ttlSeconds: 20, serial: 1, portset: PortsetID(7)))
        entrypoint = bench.add("ep-1", .entrypoint, 1)
        _ = bench.add("set-1", .set, 10)
        for index in 0..<count { edges.append(add(index, of: count)) }
        _ = entrypoint.provide(stream, at: bench.now)
    }

    func add(_ index: Int, of count: Int, certified region: RegionID = region) -> RelayNode {
        let identity = SimulatedIdentity(
            name: "edge-\(index)", .edge, .edge(region), operatorKey: Bench.operatorKey)
        return bench.add("edge-\(index)", .edge, 20 + UInt32(index), region: Self.region, identity: identity) {
            $0.neighbours = (0..<count).filter { $0 != index }.map(Self.neighbour)
            change(&$0)
        }
    }

    mutating func run(for span: TimeSpan) {
        for _ in 0..<span.milliseconds / 20 {
            number += 1
            withUnsafeBytes(of: number) { entrypoint.ingest($0, stream: stream, at: bench.now) }
            bench.run(for: .milliseconds(20))
        }
    }

    func want(_ indices: Int...) {
        for index in indices { edges[index].want(stream, at: bench.now) }
    }

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
