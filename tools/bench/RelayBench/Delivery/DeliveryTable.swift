import ArgumentParser
import Foundation

/// Prints the table of a results file: pools runs of one kind, and checks our limits.
struct DeliveryTable: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delivery-report", abstract: "The delivery table of a results file, with the limits checked.",
        discussion: "Exit status: 0 every limit holds, 1 one is missed.")

    @Argument(help: "Results file of `relay-bench delivery`.")
    var results: String

    /// Limits below this many per cent cannot be checked with so few packets; the simulation checks them.
    private static let judgedFrom = 0.003
    private static let missed = "MISSED"

    func run() throws {
        let all = try ResultsFile.read(DeliveryReport.self, from: results)
        let columns: [(Transport, Int)] = [(.srt, 120), (.rist, 120), (.srt, 500), (.rist, 500), (.ours, 120)]
        print("residual loss %; retransmit overhead % (packets) of 1,000 packets/s, RTT 40 ms, loss both ways\n")
        var isMissed = false
        print(row("loss / burst", columns.map { "\($0.0.rawValue) \($0.1) ms" } + ["95 % bound, limit, verdict"]))
        for condition in LinkCondition.table {
            let here = all.filter(condition.covers)
            guard !here.isEmpty else { continue }
            let pools = columns.map { transport, milliseconds in
                Pool(here.filter { $0.transport == transport && $0.milliseconds == milliseconds })
            }
            let verdict = verdict(condition, pools.last ?? nil)
            isMissed = isMissed || verdict.contains(Self.missed)
            print(row(condition.name, pools.map { $0?.text ?? "-" } + [verdict]))
        }
        print("")
        for condition in LinkCondition.table {
            guard let ours = Pool(all.filter { condition.covers($0) && $0.transport == .ours }) else { continue }
            let parts = ours.counters.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            print(
                "\(condition.name): ours \(String(format: "delay %.2f ms", ours.delay)), \(parts.joined(separator: ", "))"
            )
        }
        if isMissed { throw ExitCode.failure }
    }

    private func verdict(_ condition: LinkCondition, _ ours: Pool?) -> String {
        guard let ours else { return "-" }
        var parts = [String(format: "<= %.4f", ours.bound)]
        if let limit = condition.residualMax {
            let residual = limit < Self.judgedFrom ? "by simulation" : ours.bound <= limit ? "holds" : Self.missed
            parts.append(String(format: "limit %.4g: ", limit) + residual)
        }
        let cost = ours.overhead <= condition.overheadMax ? "holds" : Self.missed
        parts.append(String(format: "overhead limit %.4g: ", condition.overheadMax) + cost)
        return parts.joined(separator: ", ")
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        ([name] + cells).map { $0.padding(toLength: 24, withPad: " ", startingAt: 0) }.dropLast().joined()
            + (cells.last ?? "")
    }

    /// Runs of one transport on one kind of link.
    private struct Pool {
        var packets = 0
        var missing = 0
        var overhead = 0.0
        var delay = 0.0
        var counters: [String: UInt64] = [:]

        init?(_ reports: [DeliveryReport]) {
            guard !reports.isEmpty else { return nil }
            for report in reports {
                packets += report.packets
                missing += report.missing
                overhead += (report.overheadPercent ?? .nan) / Double(reports.count)
                delay += report.delayMedian / Double(reports.count)
                counters.merge(report.counters) { $0 + $1 }
            }
        }

        /// Upper end of the 95 % confidence interval of the residual loss in per cent, one-sided, as if losses were
        /// independent (Poisson): the mean number of losses at which so few occur in only one of twenty
        /// measurements.
        var bound: Double {
            var (low, high) = (Double(missing), Double(missing) * 2 + 20)
            for _ in 0..<60 {
                let mean = (low + high) / 2
                var (term, sum) = (exp(-mean), 0.0)
                for count in 0...missing {
                    sum += term
                    term *= mean / Double(count + 1)
                }
                if mean > 600 || sum > 0.05 { low = mean } else { high = mean }
                if mean > 600 {
                    // Far from zero the interval is that of the normal distribution.
                    return (Double(missing) + 1.645 * Double(missing).squareRoot()) * 100 / Double(max(packets, 1))
                }
            }
            return high * 100 / Double(max(packets, 1))
        }

        var text: String {
            let residual = Double(missing) * 100 / Double(max(packets, 1))
            return String(format: "%.4f; %.2f (%dk)", residual, overhead, packets / 1_000)
        }
    }
}
