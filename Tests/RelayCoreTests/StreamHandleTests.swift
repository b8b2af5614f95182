import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Handles of streams at an entrypoint")
struct StreamHandleTests {
    private let news = StreamName("live/news")!
    private let sport = StreamName("live/sport")!

    private func ingest(to handle: StreamHandle, _ node: RelayNode, _ bench: Bench) {
        [UInt8](repeating: 1, count: 188).withUnsafeBytes { node.ingest($0, to: handle, at: bench.now) }
    }

    @Test("A payload for the handle of a stream that has ended is not given to the next stream of its slot")
    func stale() throws {
        let bench = Bench()
        let node = bench.add("ep", .entrypoint, 1) { $0.streamsMax = 1 }
        #expect(node.handle(of: news) == nil)
        try #require(node.provide(news, at: bench.now))
        let old = try #require(node.handle(of: news))
        ingest(to: old, node, bench)
        #expect(node.core.streams[news]?.origin?.nextSequence == 2)
        node.encoderLeft(news, at: bench.now)
        try #require(node.provide(sport, at: bench.now))
        let new = try #require(node.handle(of: sport))
        #expect(new.slot == old.slot)
        ingest(to: old, node, bench)
        #expect(node.core.streams[sport]?.origin?.nextSequence == 1)
        ingest(to: new, node, bench)
        #expect(node.core.streams[sport]?.origin?.nextSequence == 2)
    }
}
