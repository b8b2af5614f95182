import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Floods of names")
struct NameFloodTests {
    private func stream(_ number: Int) throws -> StreamName { try #require(StreamName("junk/n\(number)")) }

    @Test("An edge with thousands of requests for unknown names still starts a stream at once")
    func edge() throws {
        var tree = try #require(Tree(sets: 1))
        let edge = tree.bench.add("boston", .edge, 101, region: RegionID(1283), sink: tree.sink) { $0.lookUpsMax = 64 }
        tree.stream(for: .milliseconds(300))
        for number in 0..<5_000 {
            edge.want(try stream(number), at: tree.bench.now)
            if number % 50 == 49 { tree.bench.run(for: .milliseconds(1)) }
        }
        #expect(tree.bench.unavailable.count >= 5_000)
        #expect(tree.bench.unavailable.allSatisfy { $0 == .noSuchStream })
        for number in 0..<5_000 { edge.release(try stream(number), at: tree.bench.now) }
        #expect(edge.snapshot.streams == 0)
        edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(200))
        #expect(!tree.numbers.isEmpty)
        #expect(edge.counters[.lookUpsEvicted] > 4_000)
    }

    @Test("A full table of streams evicts the oldest one without data, and never one with data")
    func fullTable() throws {
        var tree = try #require(Tree(sets: 1))
        let edge = tree.bench.add("boston", .edge, 101, region: RegionID(1283), sink: tree.sink) { $0.streamsMax = 8 }
        tree.stream(for: .milliseconds(300))
        edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .seconds(1))
        for number in 0..<100 { edge.want(try stream(number), at: tree.bench.now) }
        #expect(edge.snapshot.streams <= 8)
        #expect(edge.counters[.streamsEvicted] == 100 - 7)
        tree.stream(for: .seconds(1))
        #expect(tree.isGapless)
        #expect(tree.bench.unavailable.contains(.tableFull))
    }

    @Test("A child that invents names fills neither the set reflector's tables nor those of its children")
    func set() throws {
        var tree = try #require(
            Tree(sets: 1) {
                $0.streamsMax = 16
                $0.lookUpsMax = 32
                $0.newNamesBurst = 64
                $0.newNamesPerSecond = 8
            })
        let zone = tree.bench.answers[.candidates(tree.stream)]
        let eve = Bench.endpoint(120)
        let hostile = tree.bench.add("eve", .edge, 120, region: RegionID(1283), sink: Bench.Sink())
        tree.bench.lies = { who, name in
            guard who == eve, case .candidates = name else { return nil }
            return zone
        }
        tree.stream(for: .milliseconds(300))
        for number in 0..<400 {
            hostile.want(try stream(number), at: tree.bench.now)
            if number % 20 == 19 { tree.bench.run(for: .milliseconds(5)) }
            #expect(tree.sets[0].snapshot.streams <= 16)
        }
        tree.edge.want(tree.stream, at: tree.bench.now)
        tree.stream(for: .milliseconds(300))
        #expect(!tree.numbers.isEmpty)
        #expect(tree.sets[0].counters[.subscribesRefusedNames] > 0)
        for number in 400..<800 { hostile.want(try stream(number), at: tree.bench.now) }
        tree.stream(for: .seconds(2))
        #expect(tree.isGapless)
        #expect(tree.sets[0].snapshot.streams <= 16)
    }

    @Test("A name that the zone has just denied is refused without a table entry and without a look-up")
    func denied() throws {
        let tree = try #require(Tree(sets: 1))
        let zone = tree.bench.answers[.candidates(tree.stream)]
        let junk = try stream(1)
        tree.bench.lies = { who, name in who == Tree.edgeEndpoint && name == .candidates(junk) ? zone : nil }
        tree.edge.want(junk, at: tree.bench.now)
        tree.bench.run(for: .milliseconds(100))
        let questions = tree.bench.questions.count { $0 == .candidates(junk) }
        for _ in 0..<3 {
            tree.edge.release(junk, at: tree.bench.now)
            tree.edge.want(junk, at: tree.bench.now)
            tree.bench.run(for: .milliseconds(100))
        }
        #expect(tree.bench.questions.count { $0 == .candidates(junk) } == questions)
        #expect(tree.sets[0].counters[.subscribesRefusedUnknown] > 0)
        #expect(tree.bench.unavailable.last == .noSource)
    }

    private func taken(_ tries: Int, _ limiter: inout NameRateLimiter, at milliseconds: Int64) -> Int {
        (0..<tries).reduce(0) { count, _ in count + (limiter.take(at: instant(milliseconds)) ? 1 : 0) }
    }

    @Test("The limiter of names admits a burst, then a fixed number a second; idle time does not make the burst larger")
    func limiter() {
        var limiter = NameRateLimiter(burst: 10, perSecond: 4, at: instant(0))
        #expect(taken(20, &limiter, at: 0) == 10)
        #expect(taken(20, &limiter, at: 1_000) == 4)
        #expect(taken(20, &limiter, at: 100_000_000) == 10)
        #expect(!did(&limiter) { $0.take(at: instant(100_000_100)) })
    }

    @Test("An entrypoint with a full table accepts an encoder in place of one that has gone")
    func entrypoint() throws {
        let bench = Bench()
        let node = bench.add("ep", .entrypoint, 1) { $0.streamsMax = 3 }
        for number in 0..<3 { #expect(node.provide(try stream(number), at: bench.now)) }
        #expect(!node.provide(try stream(3), at: bench.now))
        node.encoderLeft(try stream(1), at: bench.now)
        #expect(node.provide(try stream(3), at: bench.now))
        #expect(node.snapshot.streams == 3)
        #expect(node.counters[.streamsEvicted] == 1)
    }
}
