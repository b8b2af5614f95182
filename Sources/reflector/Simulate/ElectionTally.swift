import Foundation
import ReflectorModel
import ReflectorSimulation

// What `reflector simulate election` prints while it runs and at the end.

/// A line that is replaced again and again on a terminal, and not printed elsewhere.
final class ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shownAt = ContinuousClock.now - .seconds(1)

    func show(_ text: @autoclosure () -> String) {
        guard isTerminal, .now - shownAt > .milliseconds(200) else { return }
        shownAt = .now
        write("\r\u{1b}[K\(text())")
    }

    func clear() { if isTerminal { write("\r\u{1b}[K") } }

    private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}

/// The sums of runs of the scenario chaos, and the seed that runs next.
struct ChaosTotals {
    var tally: ElectionTally
    var next: UInt64?
    private(set) var changes = 0
    private(set) var pulls = 0

    init(tally: ElectionTally, next: UInt64) { (self.tally, self.next) = (tally, next) }

    mutating func takeSeed(upTo last: UInt64) -> UInt64? {
        defer { next = next.flatMap { $0 < last ? $0 + 1 : nil } }
        return next
    }

    mutating func add(_ report: ElectionReport, _ seed: UInt64) {
        tally.add(report, seed)
        changes += report.leaderChanges
        pulls += report.pulls
    }
}

/// The sums of many runs. It prints failures as they come.
struct ElectionTally {
    private(set) var failed = 0
    private var runs = 0
    private var delivered: UInt64 = 0
    private let total: Int
    private let scenario: String
    private let canary: ElectionCanary?
    private let progress = ProgressLine()
    private let started = ContinuousClock.now

    init(_ seeds: ClosedRange<UInt64>, _ scenario: String, _ canary: ElectionCanary?, runsPerSeed: Int = 1) {
        total = seeds.count * runsPerSeed
        self.scenario = scenario
        self.canary = canary
    }

    mutating func add(_ report: ElectionReport, _ seed: UInt64) {
        runs += 1
        delivered += report.delivered
        if !report.isGood {
            failed += 1
            progress.clear()
            let flag = canary.map { " --canary \($0.rawValue)" } ?? ""
            print("FAILED: reflector simulate election --scenario \(scenario) --seeds \(seed)\(flag)")
            for violation in report.violations { print("    \(violation)") }
        }
        progress.show("\(runs) of \(total) runs, \(failed) failed")
    }

    func close(_ text: String) {
        progress.clear()
        let seconds = max((ContinuousClock.now - started) / .seconds(1), 0.001)
        print(
            "\(runs - failed) of \(runs) runs good; \(text); \(delivered) packets delivered; "
                + "\((Double(runs) / seconds * 10).rounded() / 10) runs a second")
    }
}
