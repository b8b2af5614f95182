import ArgumentParser
import Glibc
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate line`: one stream to one edge, under path conditions of your choice.
struct SimulateLine: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "line", abstract: "Send one stream to an edge over bad links, and print the results over time.",
        discussion: """
            Runs an encoder, an entrypoint, one to three parents and an edge in virtual time. The links from the \
            parents to the edge lose and delay datagrams in both directions, as the options or a trace say: each link \
            independently, or with --common one access line that all of them share. Each row is one interval: packets \
            sent, packets delivered in order and on time, copies on the links to the edge for each packet sent, and \
            the parents from which the edge fetches at the end. Exit status 1 if a packet is delivered twice or out of \
            order.

            Example:
              reflector simulate line --parents 3 --trace-file evening.trace --common

            \(TraceFile.help)
            """)

    @Option(help: "Parents of the edge, 1 to 3.")
    var parents = 3
    @Option(help: "Share of datagrams lost, e.g. 2%.", transform: ImpairmentArgument.share)
    var loss: Double = 0
    @Option(help: "Mean length of a run of losses, in datagrams (default: losses are independent).")
    var burst: Double?
    @Option(help: "Delay of a link, e.g. 20ms.", transform: ImpairmentArgument.time)
    var delay: TimeSpan = .milliseconds(20)
    @Option(help: "Rate of the bottleneck, e.g. 10Mbps (default: none).", transform: ImpairmentArgument.rate)
    var bottleneck: Int64?
    @Option(
        help: "File with loss, delay, jitter and rate over time; replaces those options.", completion: .file())
    var traceFile: String?
    @Flag(help: "One access line for the links of all parents, instead of independent links.")
    var common = false
    @Option(help: "Virtual seconds.")
    var seconds: Int64 = 60
    @Option(help: "Virtual seconds of each row.")
    var every: Int64 = 5
    @Option(help: "Packets a second.")
    var rate: Int64 = 200
    @Option(help: "Play-out deadline in ms.")
    var deadline: Int64 = 500
    @Option(help: "Seed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...3).contains(parents), (1...86_400).contains(seconds), (1...86_400).contains(every),
            (1...100_000).contains(rate), (1...10_000).contains(deadline)
        else { throw ValidationError("a figure is out of range") }
        for problem in impairment.problems { throw ValidationError(problem) }
    }

    private var impairment: ImpairmentOptions {
        var impairment = ImpairmentOptions()
        impairment.loss = loss
        if let burst { impairment.episode = .datagrams(burst) }
        impairment.delay = delay
        impairment.bitsPerSecond = bottleneck
        return impairment
    }

    func run() throws {
        var options = LineOptions()
        options.parents = parents
        options.packetsPerSecond = rate
        options.playOutDeadline = .milliseconds(deadline)
        options.seed = seed
        let trace = try traceFile.map(TraceFile.read)
        if common {
            options.access = impairment
            options.accessTrace = trace
        } else {
            options.lastHop = impairment
            options.lastHopTrace = trace
        }
        guard let simulation = LineSimulation(options) else { throw ExitCode(2) }
        simulation.startCounting()
        print("     s      sent  delivered  retransmits  copies  parents")
        var before = simulation.counted
        var second: Int64 = 0
        while second < seconds {
            let length = min(every, seconds - second)
            simulation.run(for: .seconds(length))
            second += length
            let now = simulation.counted
            let sent = now.sent - before.sent
            let copies = Double(now.lastHopData - before.lastHopData) / Double(max(sent, 1))
            print(
                "\(second)".right(6) + "\(sent)".right(10) + "\(now.delivered - before.delivered)".right(11)
                    + "\(now.lastHopRetransmits - before.lastHopRetransmits)".right(13)
                    + RepairGrid.text((copies * 100).rounded() / 100).right(8) + "  "
                    + simulation.paths(of: "edge-0").joined(separator: ","))
            before = now
        }
        let report = simulation.finish()
        print(
            "sent \(report.sent), delivered \(report.delivered), lost \(RepairGrid.text(report.lossPercent)) %; longest "
                + "gap \(report.gapMax.milliseconds) ms, delay at most \(report.delayMax.milliseconds) ms; digest "
                + String(report.digest, radix: 16))
        if report.wrong > 0 { throw ExitCode(1) }
    }
}
