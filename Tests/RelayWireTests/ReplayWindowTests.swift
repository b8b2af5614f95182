import ReflectorModel
import RelayWire
import Testing

@Suite("Replay window")
struct ReplayWindowTests {
    @Test("Zero is never accepted")
    func zero() {
        var window = ReplayWindow()
        func accept(_ counter: UInt64) -> Bool { window.accept(counter) }
        #expect(!accept(0))
        #expect(accept(1))
        #expect(!accept(0))
    }

    @Test("A counter is accepted once")
    func once() {
        var window = ReplayWindow()
        func accept(_ counter: UInt64) -> Bool { window.accept(counter) }
        for counter in 1...200 as ClosedRange<UInt64> {
            #expect(accept(counter))
            #expect(!accept(counter))
        }
    }

    @Test("63 below the highest is inside the window, 64 below is outside")
    func edge() {
        var window = ReplayWindow()
        func accept(_ counter: UInt64) -> Bool { window.accept(counter) }
        #expect(accept(100))
        #expect(accept(37))
        #expect(!accept(37))
        #expect(!accept(36))
    }

    @Test("A jump forgets counters below the window")
    func leap() {
        var window = ReplayWindow()
        func accept(_ counter: UInt64) -> Bool { window.accept(counter) }
        #expect(accept(1))
        #expect(accept(65))
        #expect(!accept(1))
        #expect(accept(2))
        #expect(accept(.max))
        #expect(!accept(.max))
        #expect(!accept(65))
        #expect(accept(.max - 63))
        #expect(!accept(.max - 64))
    }

    @Test("The window agrees with a set of all counters ever seen")
    func model() {
        var random = SeededGenerator(seed: 11)
        var window = ReplayWindow()
        func accept(_ counter: UInt64) -> Bool { window.accept(counter) }
        var seen: Set<UInt64> = []
        var highest: UInt64 = 0
        for _ in 0..<100_000 {
            let forward = UInt64.random(in: 0...3, using: &random)
            let counter =
                Bool.random(using: &random)
                ? highest + forward : highest - min(highest, UInt64.random(in: 0...80, using: &random))
            let expected = counter > 0 && counter + 64 > highest && !seen.contains(counter)
            #expect(accept(counter) == expected)
            if expected { seen.insert(counter) }
            highest = max(highest, counter)
        }
    }
}
