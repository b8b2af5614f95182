import ReflectorModel
import ReflectorSimulation
import Testing

@testable import RelayCore

/// An entrypoint with one stream, which it gets 50 times a second while the test runs, and the zone's answers about it.
struct RegionFeed {
    let bench = Bench()
    let stream: StreamName
    static let portset = PortsetID(7)
    static let endpoint = Bench.endpoint(1)
    private let entrypoint: RelayNode
    private var number: UInt64 = 0

    /// - Parameter sets: the set reflectors of the zone.
    init(sets: LookUpResult) throws {
        stream = try #require(StreamName("live/news"))
        let own = ResolvedHost(name: "ep-1", endpoint: Self.endpoint, priority: 0, weight: 1)
        bench.answers[.announceTargets(host: "ep-1")] = sets
        bench.answers[.rootSets(Self.portset)] = sets
        bench.answers[.candidates(stream)] = .records(
            LookUpAnswer(hosts: [own], ttlSeconds: 20, serial: 1, portset: Self.portset))
        entrypoint = bench.add("ep-1", .entrypoint, 1)
    }

    /// The encoder connects.
    func begin() { _ = entrypoint.provide(stream, at: bench.now) }

    mutating func run(for span: TimeSpan) {
        for _ in 0..<span.milliseconds / 20 {
            number += 1
            withUnsafeBytes(of: number) { entrypoint.ingest($0, stream: stream, at: bench.now) }
            bench.run(for: .milliseconds(20))
        }
    }

    func want(at edges: [RelayNode]) {
        for edge in edges { edge.want(stream, at: bench.now) }
    }
}
