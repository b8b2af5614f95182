import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Death and return of parents and links")
struct FailoverTests {
    /// `reflector simulate failover --seeds 1-10000` runs 10,000 seeds.
    @Test("Over 500 seeds the edge loses no packet, returns to its first parent, and gets one copy before and after")
    func nothingIsLost() throws {
        for seed in UInt64(1)...500 {
            let report = try #require(FailoverRun(seed: seed).run())
            #expect(report.isGood, "reflector simulate failover --seeds \(seed): \(report)")
            #expect(report.gapMax < .milliseconds(700), "seed \(seed): \(report.gapMax.milliseconds) ms")
        }
    }

    @Test("A parent that has just begun to fetch does not report starvation")
    func freshParentDoesNotStarve() throws {
        // With these seeds, a parent once reported that its upstream had been silent since time zero, so the edge added
        // a path for ten seconds.
        for seed: UInt64 in [780, 1_424, 2_023, 3_150, 4_990, 5_182, 5_470, 6_278, 6_761, 8_183, 9_951] {
            let report = try #require(FailoverRun(seed: seed).run())
            #expect(report.isGood, "reflector simulate failover --seeds \(seed): \(report)")
        }
    }
}
