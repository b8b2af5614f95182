import ArgumentParser
import Foundation
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate region`: the members of a region fail, and others lead.
struct SimulateRegion: ParsableCommand {
    /// What is simulated.
    enum Scenario: String, CaseIterable, ExpressibleByArgument {
        case chaos, failures, multicast
        case setChaos = "set-chaos"
        case setFailures = "set-failures"
        case placement
    }

    static let configuration = CommandConfiguration(
        commandName: "region", abstract: "Let the members of a region fail, and check who leads and what is lost.",
        discussion: """
            Runs the daemons' nodes in virtual time: two to five edges on a LAN, two set reflectors and an entrypoint. The \
            seed decides the whole run.

            chaos      Members are killed, stopped and terminated; the LAN and the lines outside are cut, also in one \
            direction; the LAN falls into parts; a parent dies; the name servers fall silent. An edge must get each \
            stream in order and without repetition. Two members that hear each other may lead one stream for at most \
            \(1_500) ms. Afterwards one member leads each stream, one copy of it comes from outside, and every edge gets \
            what its viewers want.
            failures   The leader of a region of three fails, once in each run: nothing may be lost at a play-out deadline \
            of 500 ms, and one copy comes from outside again.

            set-chaos     The same with one or two entrypoints, set regions of two to four members, and edge regions of one \
            to three: faults hit set reflectors, too.
            set-failures  A host of a set region of three fails: the one that fetches a stream for all, or one that only \
            serves edges. Nothing may be lost at the edges.
            placement     200 streams over a set region of eight: how evenly they spread, what moves at a death, a join \
            and a leave, and what the region costs. Each figure has a bound.
            multicast     Eight members want 200 streams of 2 Mb/s by multicast, and the LAN loses one packet of a hundred: each \
            packet crosses the LAN once, no request for a packet leaves the region, 99 of 100 repairs are sent within 25 ms \
            after the packet, control messages are less than 1 % of the data, and nothing is lost.

            Exit status: 0 all of this held, 1 it did not (the seed is printed), 2 wrong usage. With --canary a rule is \
            broken on purpose, so the status must be 1.

            Examples:
              reflector simulate region --seeds 1-1000
              reflector simulate region --seeds 7 --trace
              reflector simulate region --scenario failures --seeds 1-50
              reflector simulate region --scenario set-chaos --seeds 1-200
              reflector simulate region --scenario set-failures --seeds 1-50
              reflector simulate region --scenario placement --seeds 1
              reflector simulate region --scenario multicast --seeds 1-5
              reflector simulate region --canary two-leaders --seeds 1-50
            """)

    @Option(help: "One of: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).")
    var scenario: Scenario = .chaos

    @Option(help: "Seeds, e.g. 7 or 1-1000.")
    var seeds: SeedRange = SeedRange(range: 1...100)

    @Option(help: "A rule broken on purpose: \(RegionCanary.allCases.map(\.rawValue).joined(separator: ", ")).")
    var canary: RegionCanary?

    @Option(help: "For --scenario multicast: number of members, 2 to 16.")
    var members = 8

    @Option(help: "For --scenario multicast: number of streams, 1 to 500.")
    var streams = 200

    @Flag(help: "For --scenario multicast: without multicast, for comparison.")
    var copies = false

    @Flag(help: "Print faults, alarms and discontinuities as they happen.")
    var trace = false

    func validate() throws {
        guard canary == nil || scenario == .chaos || scenario == .setChaos else {
            throw ValidationError("--canary is for the scenarios chaos and set-chaos")
        }
        guard (2...16).contains(members), (1...500).contains(streams) else {
            throw ValidationError("--members: 2 to 16; --streams: 1 to 500")
        }
    }

    func run() throws {
        let isGood =
            switch scenario {
            case .chaos, .setChaos: runChaos()
            case .failures:
                runFailures(RegionFailures.Failure.allCases, at: "a member") { failure, seed in
                    var failures = RegionFailures()
                    failures.trace = printTrace
                    return failures.run(failure, seed: seed)
                }
            case .setFailures:
                runFailures(SetRegionFailures.Failure.allCases, at: "an edge") { failure, seed in
                    var failures = SetRegionFailures()
                    failures.trace = printTrace
                    return failures.run(failure, seed: seed)
                }
            case .placement: runPlacement()
            case .multicast: runMulticast()
            }
        if !isGood { throw ExitCode(1) }
    }

    private var printTrace: ((String) -> Void)? { trace ? { print("    \($0)") } : nil }

    private func runChaos() -> Bool {
        var (failed, delivered, lost) = (0, UInt64(0), UInt64(0))
        var spans: [TimeSpan] = []
        for seed in seeds.range {
            var chaos = RegionChaos(seed: seed)
            (chaos.canary, chaos.trace, chaos.hasSetRegions) = (canary, printTrace, scenario == .setChaos)
            let report = chaos.run()
            (delivered, lost) = (delivered + report.delivered, lost + report.lost)
            spans.append(report.twoLeadersMax)
            guard !report.isGood else { continue }
            failed += 1
            let flag = canary.map { " --canary \($0.rawValue)" } ?? ""
            print("FAILED: reflector simulate region --scenario \(scenario.rawValue) --seeds \(seed)\(flag)")
            for violation in report.violations { print("    \(violation)") }
        }
        print(
            "\(spans.count - failed) of \(spans.count) runs good; longest time with two leaders of one slot: "
                + "\(Self.distribution(spans)); \(delivered) packets delivered, \(lost) given up during the faults")
        return failed == 0
    }

    private func runFailures<Failure: RawRepresentable<String>>(
        _ all: [Failure], at place: String, _ run: (Failure, UInt64) -> RegionRunReport
    ) -> Bool {
        var isGood = true
        print("longest gap at \(place), ms: minimum, median, 90 %, worst; packets lost")
        for failure in all {
            var (gaps, lost) = ([TimeSpan](), UInt64(0))
            for seed in seeds.range {
                let report = run(failure, seed)
                gaps.append(report.gapMax)
                lost += report.lost
                guard !report.isGood else { continue }
                isGood = false
                print("FAILED: \(failure.rawValue), seed \(seed)")
                for violation in report.violations { print("    \(violation)") }
            }
            let name = failure.rawValue.padding(toLength: 26, withPad: " ", startingAt: 0)
            print("\(name)\(Self.distribution(gaps)); \(lost) lost in \(gaps.count) runs")
        }
        return isGood
    }

    private func runMulticast() -> Bool {
        var isGood = true
        for seed in seeds.range {
            var multicast = RegionMulticast()
            (multicast.members, multicast.streams, multicast.usesGroups) = (members, streams, !copies)
            multicast.trace = printTrace
            let report = multicast.run(seed: seed)
            let again = 100 * Double(report.sentAgain) / Double(max(report.packets, 1))
            print(
                "seed \(seed): \(report.members) members, \(report.streams) streams, \(report.packets) packets: "
                    + "\(report.sent) sent to groups, \(report.sentAgain) again (\(Self.percent(again))), "
                    + "\(report.copies) to single members; repairs sent after \(Self.distribution(report.repairTimes)); "
                    + "control messages \(Self.percent(report.controlShare * 100)) of the data; "
                    + "\(report.requestsOutside) requests left the region; \(report.lost) packets lost")
            guard !report.violations.isEmpty else { continue }
            isGood = false
            print("FAILED: reflector simulate region --scenario multicast --seeds \(seed)")
            for violation in report.violations { print("    \(violation)") }
        }
        return isGood
    }

    private func runPlacement() -> Bool {
        var isGood = true
        for seed in seeds.range {
            var placement = RegionPlacementRun(seed: seed)
            placement.trace = printTrace
            print("seed \(seed): \(placement.streams) streams over \(placement.members) members")
            for figure in placement.run() {
                let name = figure.name.padding(toLength: 44, withPad: " ", startingAt: 0)
                let numbers = String(format: "%8.3f, at most %7.3f", figure.value, figure.most)
                print("  \(name)\(numbers)\(figure.isMet ? "" : "  MISSED")")
                isGood = isGood && figure.isMet
            }
        }
        return isGood
    }

    private static func percent(_ value: Double) -> String { String(format: "%.2f %%", value) }

    /// Minimum, median, 90th percentile and maximum.
    private static func distribution(_ spans: [TimeSpan]) -> String {
        let sorted = spans.sorted()
        guard let least = sorted.first, let most = sorted.last else { return "no run" }
        return [least, sorted[sorted.count / 2], sorted[sorted.count * 9 / 10], most].map { "\($0.milliseconds)" }
            .joined(separator: ", ") + " ms"
    }
}

extension RegionCanary: ExpressibleByArgument {}
