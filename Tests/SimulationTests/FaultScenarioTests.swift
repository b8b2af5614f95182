import Foundation
import ReflectorModel
import ReflectorSimulation
import Testing

@Suite("Whole networks in virtual time")
struct FaultScenarioTests {
    /// With this many seeds every fault affects every role, and a run takes a minute.
    private static let seeds: ClosedRange<UInt64> = 1...24

    @Test("Every invariant holds under every scenario and seed", arguments: FaultScenario.allCases)
    func invariantsHold(scenario: FaultScenario) {
        for seed in Self.seeds {
            let report = FaultSimulation(FaultOptions(scenario: scenario, seed: seed)).run()
            #expect(report.isGood, "\(report.command)\n\(report.violations.joined(separator: "\n"))")
            #expect(report.delivered > 5_000, "\(report.command)")
        }
    }

    @Test("When its parent dies, an edge loses no packet and is silent for less than a second")
    func parentDeathIsShort() {
        for seed in Self.seeds {
            let report = FaultSimulation(FaultOptions(scenario: .parentDeath, seed: seed)).run()
            #expect(report.missing == 0, "\(report.command)")
            #expect(report.counts.crashes > 0, "\(report.command)")
            #expect(report.gapMax < .seconds(1), "\(report.command): \(report.gapMax.milliseconds) ms")
        }
    }

    @Test("The invariants detect each canary", arguments: Canary.allCases)
    func canaryIsCaught(canary: Canary) {
        var options = FaultOptions(scenario: .steady, seed: 1)
        options.canary = canary
        let report = FaultSimulation(options).run()
        #expect(!report.isGood, "no invariant caught \(canary.rawValue)")
        #expect(!report.violations.isEmpty)
    }

    @Test("The same seed gives the same digest twice, another seed gives another digest")
    func digestRepeats() {
        for scenario in FaultScenario.allCases {
            let first = FaultSimulation(FaultOptions(scenario: scenario, seed: 5)).run()
            let second = FaultSimulation(FaultOptions(scenario: scenario, seed: 5)).run()
            let other = FaultSimulation(FaultOptions(scenario: scenario, seed: 6)).run()
            #expect(first.digest == second.digest, "\(first.command)")
            #expect(first.digest != other.digest, "\(first.command)")
        }
    }

    @Test(
        "Two processes give the same digests, over 20 seeds",
        .enabled(if: FileManager.default.isExecutableFile(atPath: ".build/release/reflector")))
    func digestRepeatsInAnotherProcess() throws {
        let first = try digests()
        let second = try digests()
        #expect(first == second)
        #expect(Set(first).count == 20)
        let own = FaultSimulation(FaultOptions(scenario: .chaos, seed: 1)).run()
        #expect(first.first == "chaos 1 \(String(own.digest, radix: 16))")
    }

    private static let executable = ".build/release/reflector"

    private func digests() throws -> [String] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.executable)
        process.arguments = ["simulate", "--scenario", "chaos", "--seeds", "1-20", "--digest"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init).filter {
            $0.split(separator: " ").count == 3 && $0.hasPrefix("chaos ")
        }
    }
}
