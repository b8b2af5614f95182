import ArgumentParser
import Foundation
import ReflectorModel
import ReflectorSimulation
import Synchronization

/// `reflector simulate election`: entrypoints fail, and witnesses elect others.
struct SimulateElection: ParsableCommand {
    /// What is simulated.
    enum Scenario: String, CaseIterable, ExpressibleByArgument {
        case chaos, partition, stall, gaps, hot, traffic
    }

    static let configuration = CommandConfiguration(
        commandName: "election", abstract: "Let entrypoints and encoders fail, and check who leads each stream.",
        discussion: """
            Runs the daemons' nodes in virtual time: three candidate entrypoints and one that the zone does not name, three \
            to five witnesses (set reflectors), two or three edges, a stream that an encoder pushes to all candidates, and \
            two that they pull from it (pullers=1 and pullers=many). The seed decides the whole run.

            chaos      Hosts crash and pause, links are cut in one direction or both, control messages are late or come \
            twice, encoders close, fall silent and come back, and the candidate list changes. An edge must get each \
            incarnation in order, without repetition and without packets of another source; nobody may fetch from a host \
            that the zone does not name; a backup may not begin without the witnesses. At the latest 22 s after the last fault all \
            witnesses must name the best candidate, it alone must pull, and every edge must get every stream.
            partition  Random cuts, many in one direction only. An edge that reaches a witness that reaches an entrypoint, \
            directly or through another witness, must get the stream. After the heal the witnesses must agree: at the \
            latest when the better candidate has been live for 10 s.
            stall      --hours of a healthy network in which one witness of five is always stalled for 0.5 to 5 s and all \
            links lose 2 % in bursts. No entrypoint may be dropped.
            gaps       How long the edges are without a stream when its entrypoint or encoder fails, beside the targets.
            hot        A hot stream with two entrypoints, a set reflector and an edge; all links lose 2 %. One entrypoint is \
            killed, stopped or cut off. Nothing may be lost or later than 500 ms.
            traffic    Announcements, heartbeats and reports of 1,000 streams with 50 witnesses, as a share of the data \
            (2 Mb/s a stream): in the steady state, and while encoders fail, up to 1 % of them each second.

            Exit status: 0 all of this held, 1 it did not (the seed is printed), 2 wrong usage. With --canary a rule is \
            broken on purpose, so the status must be 1.

            Examples:
              reflector simulate election --seeds 1-100000
              reflector simulate election --scenario chaos --seeds 7 --trace
              reflector simulate election --scenario gaps --seeds 1-200
              reflector simulate election --scenario hot --seeds 1-50
              reflector simulate election --scenario stall --hours 24
              reflector simulate election --canary no-majority --seeds 1-200
            """)

    @Option(help: "One of: \(Scenario.allCases.map(\.rawValue).joined(separator: ", ")).")
    var scenario: Scenario = .chaos

    @Option(help: "Seeds, e.g. 7 or 1-100000. Stall and traffic use the first one.")
    var seeds: SeedRange = SeedRange(range: 1...100)

    @Option(
        help: "A rule broken on purpose: \(ElectionCanary.allCases.map(\.rawValue).joined(separator: ", ")).")
    var canary: ElectionCanary?

    @Option(help: "How many seeds of the scenario chaos run at a time; by default one for each processor.")
    var jobs: Int?

    @Option(help: "Virtual hours of the scenario stall.")
    var hours = 24.0

    @Flag(help: "Print faults, elections and discontinuities as they happen.")
    var trace = false

    func validate() throws {
        guard hours > 0, hours <= 1_000 else { throw ValidationError("--hours must be above 0 and at most 1000") }
        guard (jobs ?? 1) >= 1, (jobs ?? 1) <= 256 else { throw ValidationError("--jobs must be 1 to 256") }
        guard canary == nil || scenario == .chaos || scenario == .partition else {
            throw ValidationError("--canary is for the scenarios chaos and partition")
        }
    }

    func run() throws {
        let isGood =
            switch scenario {
            case .chaos: runChaos()
            case .partition: runPartitions()
            case .stall: runStall()
            case .gaps: runGaps()
            case .hot: runHot()
            case .traffic: runTraffic()
            }
        if !isGood { throw ExitCode(1) }
    }

    private var printTrace: ((String) -> Void)? { trace ? { print("    \($0)") } : nil }

    private func options(_ seed: UInt64) -> ElectionOptions {
        var options = ElectionOptions(seed: seed)
        options.canary = canary
        return options
    }

    // MARK: Scenarios

    private func runChaos() -> Bool {
        let tally = ElectionTally(seeds.range, "chaos", canary)
        let totals = Mutex(ChaosTotals(tally: tally, next: seeds.range.lowerBound))
        let last = seeds.range.upperBound
        // The lines of a trace would be mixed.
        let jobs = trace ? 1 : jobs ?? ProcessInfo.processInfo.activeProcessorCount
        DispatchQueue.concurrentPerform(iterations: jobs) { _ in
            while let seed = totals.withLock({ $0.takeSeed(upTo: last) }) {
                var chaos = ElectionChaos(options(seed))
                chaos.trace = printTrace
                let report = chaos.run()
                totals.withLock { $0.add(report, seed) }
            }
        }
        return totals.withLock { totals in
            totals.tally.close("\(totals.changes) changes of leaders, \(totals.pulls) pulls begun")
            return totals.tally.failed == 0
        }
    }

    private func runPartitions() -> Bool {
        var tally = ElectionTally(seeds.range, "partition", canary)
        var (checks, atOnce) = (0, 0)
        var agreement: [TimeSpan] = []
        var outages: [TimeSpan] = []
        for seed in seeds.range {
            var partition = ElectionPartition(options(seed))
            partition.trace = printTrace
            let report = partition.run()
            tally.add(report.election, seed)
            checks += report.checks
            if report.agreesAtOnce { atOnce += 1 }
            agreement.append(report.agreement)
            outages.append(report.outage)
        }
        agreement.sort()
        outages.sort()
        tally.close(
            "\(checks) checks of edges during the cuts; one leader of each stream within 3 s of the heal in \(atOnce) runs, "
                + "median \(agreement[agreement.count / 2].milliseconds) ms, worst \(agreement.last?.milliseconds ?? 0) ms; "
                + "longest outage of an edge that could be served: median \(outages[outages.count / 2].milliseconds) ms, "
                + "90 % \(outages[outages.count * 9 / 10].milliseconds) ms, worst \(outages.last?.milliseconds ?? 0) ms"
        )
        return tally.failed == 0
    }

    private func runGaps() -> Bool {
        var tally = ElectionTally(seeds.range, "gaps", nil, runsPerSeed: ElectionGaps.Failure.allCases.count)
        var isGood = true
        print("longest gap at an edge, ms: min  median   90 %   worst   targets: median, worst")
        for failure in ElectionGaps.Failure.allCases {
            var gaps: [TimeSpan] = []
            for seed in seeds.range {
                let result = ElectionGaps().run(failure, seed: seed, trace: printTrace)
                tally.add(result.election, seed)
                if let gap = result.gap {
                    gaps.append(gap)
                } else {
                    isGood = false
                    print("FAILED: \(failure.rawValue), seed \(seed): an edge never got the stream again")
                }
            }
            gaps.sort()
            guard let least = gaps.first, let most = gaps.last else { continue }
            let median = gaps[gaps.count / 2]
            let isMet = median <= failure.medianMax && most <= failure.longestMax
            isGood = isGood && isMet
            let measured = [least, median, gaps[gaps.count * 9 / 10], most].map { "\($0.milliseconds)".right(7) }
            print(
                failure.rawValue.padding(toLength: 24, withPad: " ", startingAt: 0) + measured.joined()
                    + "\(failure.medianMax.milliseconds)".right(12) + "\(failure.longestMax.milliseconds)".right(8)
                    + (isMet ? "" : "  MISSED"))
        }
        tally.close("the encoder answers a pull at once")
        return isGood && tally.failed == 0
    }

    private func runHot() -> Bool {
        let progress = ProgressLine()
        var failed = 0
        print("                            runs   lost   late   longest gap at the edge: min, median, 90 %, worst")
        for failure in HotFailures.Failure.allCases {
            var (lost, late) = (UInt64(0), UInt64(0))
            var gaps: [TimeSpan] = []
            for seed in seeds.range {
                guard let report = HotFailures().run(failure, seed: seed, trace: printTrace) else { return false }
                (lost, late) = (lost + report.lost, late + report.late)
                gaps.append(report.gapMax)
                progress.show("\(failure.rawValue), seed \(seed)")
                guard !report.isWhole else { continue }
                failed += 1
                progress.clear()
                print("FAILED: \(failure.rawValue), seed \(seed): \(report)")
            }
            progress.clear()
            gaps.sort()
            let measured = [gaps[0], gaps[gaps.count / 2], gaps[gaps.count * 9 / 10], gaps[gaps.count - 1]]
            let counts = "\(gaps.count)".right(6) + "\(lost)".right(7) + "\(late)".right(7)
            let columns = measured.map { "\($0.milliseconds)".right(8) }.joined()
            let name = failure.rawValue.padding(toLength: 26, withPad: " ", startingAt: 0)
            print(name + counts + "   gaps, ms:" + columns)
        }
        let runs = seeds.range.count * HotFailures.Failure.allCases.count
        print("\(runs - failed) of \(runs) runs good; 200 packets a second, one feed up to 100 ms behind the other")
        return failed == 0
    }

    private func runStall() -> Bool {
        let clock = ContinuousClock()
        let started = clock.now
        var stall = ElectionStall()
        (stall.seed, stall.hours, stall.trace) = (seeds.range.lowerBound, hours, printTrace)
        let progress = ProgressLine()
        stall.progress = { [hours] done in progress.show("\(Int(done * 60)) of \(Int(hours * 60)) virtual minutes") }
        let report = stall.run()
        progress.clear()
        for violation in report.violations { print("VIOLATED: \(violation)") }
        print(
            "\(report.hours) h, \(report.stalls) stalls: \(report.falseTakeovers) false takeovers, \(report.falsePulls) "
                + "false pulls, \(report.ownCorrections) corrections by witnesses of their own stall; longest gap "
                + "\(report.gapMax.milliseconds) ms; \(report.datagrams) datagrams; "
                + "\(Int(started.duration(to: clock.now) / .seconds(1))) s")
        return report.isGood
    }

    private func runTraffic() -> Bool {
        var isGood = true
        for failures in [0.0, 1.0, 36.0] {
            var traffic = ElectionTraffic()
            traffic.seed = seeds.range.lowerBound
            traffic.failuresPerHour = failures
            let report = traffic.run()
            isGood = isGood && report.percent < ElectionTraffic.percentMax
            print(
                "\(traffic.streams) streams, \(traffic.witnesses) witnesses, each encoder fails \(failures) times an hour: "
                    + "\(Int(report.bytesPerSecond / 1_000)) kB/s, "
                    + "\((report.percent * 1_000).rounded() / 1_000) % of the data; "
                    + "target \(ElectionTraffic.percentMax) %"
            )
        }
        return isGood
    }
}

extension ElectionCanary: ExpressibleByArgument {}
