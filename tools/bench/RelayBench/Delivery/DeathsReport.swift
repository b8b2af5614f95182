import Foundation
import ReflectorModel

/// One death of a parent or link, and the output of each stream around it.
struct DeathRun {
    var death: ParentDeathNetwork.Death
    var parent: String
    /// The parent of the first stream a second after the death.
    var follower: String?
    /// Number of paths of the first stream before the death.
    var paths: Int
    /// Longest stall of the host.
    var stall: TimeSpan
    /// Wake-ups of the edge that came over 20 ms late: after each, the edge waits a little before it considers a parent
    /// dead.
    var lateWakeups: UInt64
    /// Whether, a second after the death, no stream used the dead parent, and each had another one.
    var hasMoved: Bool
    /// For each stream, whether it was fetched from the parent that died.
    var isStruck: [Bool]
    /// Whether the run waited until the edge had its first parents again, and how long that took; nil: too long.
    var isReturnDue: Bool
    var returned: TimeSpan?
    var outcomes: [MeasuredStream.Outcome]
}

/// The runs of a session, and their totals.
struct DeathsReport {
    let rates: [Double]
    var runs: [DeathRun] = []
    var repeated = 0
    /// The edge's counters during the session.
    var counters: [String: UInt64] = [:]

    /// The promise: nothing lost, nothing late, nothing twice, all in order, every stream moved, and every return made.
    var isFlawless: Bool {
        runs.allSatisfy {
            $0.hasMoved && (!$0.isReturnDue || $0.returned != nil) && $0.outcomes.allSatisfy(\.isFlawless)
        }
    }

    /// Describes one run, with the number that follows those of the runs so far.
    func line(_ run: DeathRun) -> String {
        let streams = zip(rates, zip(run.outcomes, run.isStruck)).map { rate, measured in
            let (outcome, isStruck) = measured
            return String(format: "%g/s: ", rate) + Self.faults(outcome) + ", gap \(outcome.gap.milliseconds) ms"
                + (isStruck ? "" : " (not struck)")
        }
        return "\(runs.count + 1): \(run.parent) \(run.death.rawValue), then \(run.follower ?? "no parent")"
            + (run.paths > 1 ? ", \(run.paths) paths" : "") + (run.hasMoved ? "" : ", not all moved") + "; "
            + streams.joined(separator: "; ") + "; stall \(run.stall.milliseconds) ms"
            + (run.isReturnDue ? ", returned " + (run.returned.map { "after \($0.milliseconds) ms" } ?? "NOT") : "")
            + (run.lateWakeups > 0 ? ", \(run.lateWakeups) late wake-ups of the edge" : "")
    }

    /// The totals, in several lines.
    var summary: String {
        var lines = ["", "\(runs.count) runs, \(repeated) more repeated because the host stalled"]
        for (index, rate) in rates.enumerated() {
            let total = runs.map { $0.outcomes[index] }.reduce(MeasuredStream.Outcome(), +)
            lines.append(String(format: "%g packets/s: ", rate) + "\(total.packets) packets, " + Self.faults(total))
            for death in ParentDeathNetwork.Death.allCases {
                let struck = runs.filter { $0.death == death && $0.isStruck[index] }
                let gaps = struck.map { $0.outcomes[index].gap.milliseconds }.sorted()
                guard !gaps.isEmpty else { continue }
                lines.append("    \(death.rawValue), \(gaps.count) times, largest gap: " + Self.distribution(gaps))
            }
        }
        func count(_ name: String) -> UInt64 { counters[name] ?? 0 }
        let due = runs.filter(\.isReturnDue)
        lines.append(
            "returns of all streams to their first parents: \(due.count { $0.returned != nil }) of \(due.count); "
                + "changes of a parent that worked: \(count("parent_changes"))")
        let copies = Double(count("data_received")) / Double(max(count("delivered"), 1))
        lines.append(String(format: "copies of a packet that the edge received over the whole session: %.3f", copies))
        lines.append(isFlawless ? "nothing lost, nothing late" : "FAILED")
        return lines.joined(separator: "\n")
    }

    private static func faults(_ outcome: MeasuredStream.Outcome) -> String {
        "\(outcome.lost) lost, \(outcome.late) late, \(outcome.duplicates) twice"
            + (outcome.outOfOrder > 0 ? ", \(outcome.outOfOrder) out of order" : "")
    }

    /// - Parameter sorted: milliseconds, at least one.
    private static func distribution(_ sorted: [Int64]) -> String {
        func quantile(_ share: Double) -> Int64 { sorted[Int((Double(sorted.count - 1) * share).rounded())] }
        return "minimum \(quantile(0)), median \(quantile(0.5)), 95 % \(quantile(0.95)), maximum \(quantile(1)) ms"
    }
}
