import ReflectorModel
import Testing

@testable import RelayCore

@Suite("Delay variation against a windowed minimum")
struct DelayVariationTests {
    /// The measurement of each heartbeat: one every 200 ms over a path of 20 ms.
    private func samples(
        _ count: Int, of variation: inout DelayVariation, from start: TimeSpan = .seconds(100),
        remoteClock: (TimeSpan) -> Int64 = { $0.nanoseconds / 1_000 + 77_000_000_000 },
        queue: (Int) -> TimeSpan = { _ in .zero }
    ) -> [TimeSpan?] {
        (0..<count).map { index in
            let sent = start + .milliseconds(Int64(index) * 200)
            let timestamp = UInt64(bitPattern: remoteClock(sent))
            return variation.sample(timestamp, at: .zero + sent + .milliseconds(20) + queue(index))
        }
    }

    @Test("a constant clock offset and a constant delay are not variation", arguments: [-1, 0, 1])
    func constantOffset(sign: Int64) {
        var variation = DelayVariation()
        let measured = samples(500, of: &variation, remoteClock: { $0.nanoseconds / 1_000 + sign * 90_000_000 })
        #expect(measured.allSatisfy { $0 == .zero })
    }

    @Test("clocks that drift apart by 100 ppm cause an error of 2 ms at most", arguments: [-100, 100])
    func drift(partsPerMillion: Int64) {
        var variation = DelayVariation()
        let measured = samples(
            3_000, of: &variation,
            remoteClock: { sent in
                let microseconds = sent.nanoseconds / 1_000
                return microseconds + microseconds / 1_000_000 * partsPerMillion + 5_000_000
            })
        #expect(measured.allSatisfy { ($0 ?? .seconds(1)) <= .microseconds(2_100) })
        // The error grows only if the remote clock is slow; if it is fast, each sample is a new minimum.
        #expect((measured.compactMap { $0 }.max() ?? .zero > .milliseconds(1)) == (partsPerMillion < 0))
    }

    @Test("a queue that builds up and drains is measured to the microsecond")
    func queue() {
        var variation = DelayVariation()
        // There is no queue for 5 s; then it grows by 1 ms a sample for 2 s and drains again.
        func waiting(_ index: Int) -> TimeSpan { .milliseconds(Int64(max(0, 10 - abs(index - 35)))) }
        let measured = samples(60, of: &variation, queue: waiting)
        #expect(measured == (0..<60).map(waiting))
    }

    @Test("a longer route counts as variation for at most 20 s, and is then the new minimum")
    func longerRoute() {
        var variation = DelayVariation()
        let measured = samples(300, of: &variation, queue: { $0 < 100 ? .zero : .milliseconds(30) })
        #expect(measured[100..<149].allSatisfy { $0 == .milliseconds(30) })
        #expect(measured[200...].allSatisfy { $0 == .zero })
    }

    @Test("after a pause longer than the window, samples are not compared with earlier ones")
    func pause() {
        var variation = DelayVariation()
        _ = samples(10, of: &variation)
        let later = samples(10, of: &variation, from: .seconds(200), queue: { _ in .milliseconds(400) })
        #expect(later.allSatisfy { $0 == .zero })
    }

    @Test("when the other end steps its clock, at most one sample is missing, and the next ones are right")
    func step() {
        for seconds in [-3_600, 3_600] as [Int64] {
            var variation = DelayVariation()
            _ = samples(100, of: &variation)
            let after = samples(
                100, of: &variation, from: .seconds(120),
                remoteClock: { $0.nanoseconds / 1_000 + 77_000_000_000 + seconds * 1_000_000 },
                queue: { $0 == 50 ? .milliseconds(7) : .zero })
            // If the clock is set back, the timestamp seems an hour old, and no queue is that long. If it is set
            // forward, the sample is a new minimum.
            #expect(after[0] == (seconds < 0 ? nil : .zero))
            #expect(after[1..<50].allSatisfy { $0 == .zero })
            #expect(after[50] == .milliseconds(7))
        }
    }

    @Test("no timestamp causes a trap, and all measurements are within the bounds")
    func garbage() {
        var variation = DelayVariation()
        var random = SeededGenerator(seed: 11)
        let odd: [UInt64] = [0, 1, 2, .max, .max - 1, 1 << 63, (1 << 63) - 1, (1 << 63) + 1, 1 << 32]
        for index in 0..<20_000 {
            let timestamp = index % 3 == 0 ? odd[index % odd.count] : random.next() >> UInt64(index % 64)
            let now = MonotonicInstant(nanoseconds: Int64(index) * 7_000_000)
            guard let sample = variation.sample(timestamp, at: now) else { continue }
            #expect(sample >= .zero && sample <= DelayVariation.most)
        }
        #expect(variation.sample(0, at: .zero) == nil)
        // Good timestamps are measured correctly again once the garbage has left the window.
        let sound = samples(200, of: &variation, from: .seconds(1_000))
        #expect(sound.dropFirst(110).allSatisfy { $0 == .zero })
    }
}
