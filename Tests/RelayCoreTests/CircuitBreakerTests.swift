import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Circuit breaker")
struct CircuitBreakerTests {
    /// A link that reports its totals to its breaker once a second.
    private struct Link {
        var breaker = CircuitBreaker()
        var expected: UInt32
        var received: UInt32
        var second: Int64 = 0

        init(from expected: UInt32 = 0) {
            self.expected = expected
            received = expected
            _ = breaker.note(expected: expected, received: received, at: instant(0))
        }

        var level: CircuitBreaker.Level { breaker.level(at: instant(second * 1_000)) }

        /// The level after each second. In every second, `lost` of `packets` packets are lost.
        mutating func run(_ seconds: Int, packets: UInt32 = 100, lost: UInt32) -> [CircuitBreaker.Level] {
            (0..<seconds).map { _ in
                second += 1
                expected &+= packets
                received &+= packets - lost
                let before = level
                let hasRisen = breaker.note(expected: expected, received: received, at: instant(second * 1_000))
                #expect(hasRisen == (level > before))
                return level
            }
        }
    }

    @Test("After ten seconds above 20 % it sheds extra paths, after ten more it refuses streams, then nothing changes")
    func opens() {
        var link = Link(from: 1)
        let levels = link.run(40, lost: 30)
        #expect(levels.firstIndex(of: .shedsPaths) == 9)
        #expect(levels.firstIndex(of: .refusesStreams) == 19)
        #expect(levels.last == .refusesStreams)
    }

    @Test("A loss of 20 % or less never opens it")
    func staysClosed() {
        var link = Link(from: 1)
        #expect(link.run(600, lost: 20).allSatisfy { $0 == .closed })
    }

    @Test("A second that is good by chance does not restart the count; a truly good one does")
    func chance() {
        var link = Link(from: 1)
        _ = link.run(6, lost: 30)
        _ = link.run(1, lost: 15)
        #expect(link.run(6, lost: 30).contains(.shedsPaths))
        var other = Link(from: 1)
        _ = other.run(6, lost: 30)
        _ = other.run(1, lost: 5)
        #expect(other.run(9, lost: 30).allSatisfy { $0 == .closed })
    }

    @Test("An outage of two seconds among good ones does not open it")
    func outage() {
        var link = Link(from: 1)
        for _ in 0..<20 {
            #expect(link.run(8, lost: 0).allSatisfy { $0 == .closed })
            #expect(link.run(2, lost: 100).allSatisfy { $0 == .closed })
        }
    }

    @Test("Ten seconds below 10 % close it, ten seconds of 10 to 20 % do not")
    func closes() {
        var link = Link(from: 1)
        _ = link.run(25, lost: 40)
        #expect(link.run(30, lost: 15).allSatisfy { $0 == .refusesStreams })
        let levels = link.run(15, lost: 9)
        #expect(levels.firstIndex(of: .closed) == 9)
    }

    @Test("Ten seconds without packets close it; each time it opens again, it takes twice as long, up to 160 s")
    func idle() {
        var link = Link(from: 1)
        for span in [10, 20, 40, 80, 160, 160] as [Int64] {
            let opened = link.run(30, lost: 50).firstIndex(of: .shedsPaths)
            #expect((9...11).contains(opened ?? 0))
            link.second += span - 1
            #expect(link.level == .refusesStreams)
            link.second += 1
            #expect(link.level == .closed)
        }
        _ = link.run(12, lost: 0)
        _ = link.run(12, lost: 50)
        link.second += 10
        #expect(link.level == .closed)
    }

    @Test("At low rates packets are evaluated in groups of forty")
    func slowLink() {
        var link = Link(from: 1)
        let levels = link.run(40, packets: 8, lost: 3)
        #expect((9...17).contains(levels.firstIndex(of: .shedsPaths) ?? 0))
        var idle = Link(from: 1)
        // One packet a second, all lost: for forty seconds this is too little to count as congestion.
        #expect(idle.run(39, packets: 1, lost: 1).allSatisfy { $0 == .closed })
    }

    @Test("Counts wrap at 2³², and reports that were overtaken are ignored")
    func wrapsAround() {
        var link = Link(from: .max - 700)
        #expect(link.run(12, lost: 30).contains(.shedsPaths))
        let stale = link.breaker.note(
            expected: link.expected &- 300, received: link.received, at: instant(link.second * 1_000 + 500))
        #expect(!stale && link.level == .shedsPaths)
    }
}
