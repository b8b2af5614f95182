import ArgumentParser
import Foundation

/// Measures the CPU time of the handshake that opens a link.
struct HandshakeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "handshake", abstract: "CPU time of a handshake at each end, and the share of each step.",
        discussion: """
            Runs whole handshakes in memory, on one thread: with certificates that each end has verified before (a child \
            that comes again), and with certificates that it has not (the operator's signature is verified, too). The \
            limit is per side; the exit code is 1 if a known certificate costs more.
            """)

    @Option(help: "Handshakes of each kind.")
    var handshakes = 2_048
    @Option(help: "Largest CPU time of a side, in microseconds.")
    var limit = 300.0

    func validate() throws {
        if handshakes < 1 || limit <= 0 { throw ValidationError("--handshakes and --limit must be above zero") }
    }

    func run() throws {
        let bench = try HandshakeBench()
        var isGood = true
        for isKnown in [true, false] {
            let cost = try bench.measure(handshakes: handshakes, isKnown: isKnown)
            for (end, name) in ["child", "parent"].enumerated() {
                let whole = (end == 0 ? cost.child : cost.parent) / 1_000
                if isKnown { isGood = isGood && whole <= limit }
                ResultsFile.say(
                    String(
                        format: "%@, certificate %@: %.0f µs of CPU (least %.0f), %.2f of the limit of %.0f µs", name,
                        isKnown ? "known" : "not known", whole,
                        (end == 0 ? cost.childLeast : cost.parentLeast) / 1_000, whole / limit, limit))
                sayShares(cost.steps[end], of: whole)
            }
        }
        guard isGood else { throw ExitCode.failure }
    }

    private func sayShares(_ steps: [(nanoseconds: Double, calls: Double)], of whole: Double) {
        var rest = whole
        for step in TimedIdentityCrypto.Step.allCases {
            let (time, calls) = (steps[step.rawValue].nanoseconds / 1_000, steps[step.rawValue].calls)
            guard calls > 0.5 else { continue }
            rest -= time
            ResultsFile.say(
                String(
                    format: "  %5.1f µs  %4.1f %%  %.0f × %@ (%.1f µs)", time, 100 * time / whole, calls, step.text,
                    time / calls))
        }
        ResultsFile.say(
            String(
                format: "  %5.1f µs  %4.1f %%  the rest: transcripts, encoding, keys of the link", rest,
                100 * rest / whole))
    }
}
