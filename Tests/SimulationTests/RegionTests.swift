import ReflectorModel
import Testing

@testable import ReflectorSimulation

@Suite("Regions of several members in virtual time")
struct RegionTests {
    @Test("Under faults of every kind every invariant holds, and the region recovers", arguments: [0, 10, 20, 30])
    func chaosIsSurvived(first: UInt64) {
        for seed in first + 1...first + 10 {
            let report = RegionChaos(seed: seed).run()
            #expect(
                report.isGood,
                "reflector simulate region --seeds \(seed)\n\(report.violations.joined(separator: "\n"))")
            #expect(report.delivered > 1_000, "seed \(seed)")
        }
    }

    @Test("A leader fails in any way: nothing is lost at the others, and one copy is fetched again")
    func failures() {
        for failure in RegionFailures.Failure.allCases {
            for seed: UInt64 in 1...4 {
                let report = RegionFailures().run(failure, seed: seed)
                #expect(
                    report.isGood, "\(failure.rawValue), seed \(seed)\n\(report.violations.joined(separator: "\n"))")
            }
        }
    }

    @Test("Under faults in set regions, too, every invariant holds, and all regions recover", arguments: [0, 10])
    func setRegionChaosIsSurvived(first: UInt64) {
        for seed in first + 1...first + 10 {
            var chaos = RegionChaos(seed: seed)
            chaos.hasSetRegions = true
            let report = chaos.run()
            #expect(
                report.isGood,
                "reflector simulate region --scenario set-chaos --seeds \(seed)\n\(report.violations.joined(separator: "\n"))"
            )
            #expect(report.delivered > 500, "seed \(seed)")
        }
    }

    @Test("A host of a set region fails in any way: nothing is lost at the edges, and one copy is fetched again")
    func setRegionFailures() {
        for failure in SetRegionFailures.Failure.allCases {
            for seed: UInt64 in 1...4 {
                let report = SetRegionFailures().run(failure, seed: seed)
                #expect(
                    report.isGood, "\(failure.rawValue), seed \(seed)\n\(report.violations.joined(separator: "\n"))")
            }
        }
    }

    @Test("A rule that is broken on purpose is noticed", arguments: RegionCanary.allCases)
    func canary(_ canary: RegionCanary) {
        let caught = (1...40).contains { seed in
            var chaos = RegionChaos(seed: UInt64(seed))
            chaos.canary = canary
            return !chaos.run().isGood
        }
        #expect(caught)
    }

    @Test("Multicast: each packet crosses the LAN once, and what it loses is repaired on the LAN within 20 ms")
    func multicast() {
        var multicast = RegionMulticast()
        (multicast.members, multicast.streams, multicast.seconds) = (5, 10, 8)
        let report = multicast.run(seed: 1)
        #expect(report.violations.isEmpty, "\(report.violations)")
        #expect(report.packets > 5_000 && report.sentAgain > 50)
        // Half of the losses hit everybody at once, and are repaired together.
        #expect(Double(report.sentAgain) < Double(report.packets) * 0.05)
    }

    @Test("The same seed gives the same run")
    func repeatable() {
        #expect(RegionChaos(seed: 3).run().digest == RegionChaos(seed: 3).run().digest)
    }
}
