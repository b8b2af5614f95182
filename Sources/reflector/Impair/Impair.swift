import ArgumentParser
import DatagramIO
import Foundation
import ReflectorModel
import ReflectorSimulation
import UnixSignals

/// `reflector impair`: a bad network between two good ones.
struct Impair: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Forward UDP with loss, delay, reordering, duplication and a bottleneck.",
        usage: """
            reflector impair --listen <addr:port> --to <addr:port> [--loss <share>] [--delay <time>] …
            reflector impair --map <addr:port=addr:port> … [<options>]
            """,
        discussion: """
            Works like a NAT: every client that sends to a listening address gets a port of its own towards the \
            target, and answers return the same way. "Up" is from client to target. Each client and direction has a \
            link of its own, whose random decisions follow from --seed. Ends on SIGTERM or SIGINT with one line of \
            JSON on stdout.

            Exit status: 0 ended by a signal, 1 the statistics could not be written, 2 wrong usage.

            Example:
              reflector impair --listen 127.0.9.1:4900 --to 127.0.2.5:4900 \\
                --loss 2% --burst 3 --delay 20ms --stats /tmp/impair.json

            \(TraceFile.help)
            """)

    @Option(help: "Address and port to listen on.", transform: ImpairmentArgument.endpoint)
    var listen: Endpoint?
    @Option(help: "Where to forward datagrams from --listen.", transform: ImpairmentArgument.endpoint)
    var to: Endpoint?
    @Option(help: "Another pair, LISTEN=TARGET; may be repeated.", transform: ImpairmentArgument.mapping)
    var map: [ImpairmentRelay.Mapping] = []
    @Option(help: "Source address towards targets (default: the listening address).")
    var bind: String?
    @Option(help: "Directions to impair; the other is forwarded unchanged.")
    var direction: ImpairedDirection = .both

    @Option(help: "Share of datagrams lost, e.g. 2%.", transform: ImpairmentArgument.share)
    var loss: Double = 0
    @Option(help: "The same, from client to target only.", transform: ImpairmentArgument.share)
    var lossUp: Double?
    @Option(help: "The same, from target to client only.", transform: ImpairmentArgument.share)
    var lossDown: Double?
    @Option(help: "Mean length of a run of losses, in datagrams (default: losses are independent).")
    var burst: Double?
    @Option(
        help: "Mean length of a bad period in which everything is lost, e.g. 30ms; instead of --burst.",
        transform: ImpairmentArgument.time)
    var burstTime: TimeSpan?
    @Option(help: "Delay, e.g. 20ms.", transform: ImpairmentArgument.time)
    var delay: TimeSpan = .zero
    @Option(help: "Variation of --delay either way, e.g. 5ms; order is kept.", transform: ImpairmentArgument.time)
    var jitter: TimeSpan = .zero
    @Option(
        help: "Share of datagrams delayed so that others overtake them.", transform: ImpairmentArgument.share)
    var reorder: Double = 0
    @Option(help: "Longest extra delay of such a datagram, e.g. 5ms.", transform: ImpairmentArgument.time)
    var reorderDelay: TimeSpan = .milliseconds(5)
    @Option(help: "Share of datagrams that arrive twice.", transform: ImpairmentArgument.share)
    var duplicate: Double = 0
    @Option(help: "Rate of the bottleneck, e.g. 10Mbps (default: none).", transform: ImpairmentArgument.rate)
    var rate: Int64?
    @Option(help: "Longest queueing delay at the bottleneck, e.g. 100ms.", transform: ImpairmentArgument.time)
    var queue: TimeSpan = .milliseconds(100)
    @Option(
        help: "File with loss, delay, jitter and rate over time, from the start; replaces those options.",
        completion: .file())
    var traceFile: String?
    @Option(help: "Seed of all random decisions.")
    var seed: UInt64 = 1
    @Option(help: "File for the statistics, written every second.")
    var stats: String?

    func validate() throws {
        let mappings = mappings
        if (listen == nil) != (to == nil) { throw ValidationError("--listen and --to belong together") }
        if mappings.isEmpty { throw ValidationError("nothing to forward: give --listen and --to, or --map") }
        if burst != nil, burstTime != nil { throw ValidationError("--burst and --burst-time exclude each other") }
        let replaced = loss != 0 || lossUp != nil || lossDown != nil || burst != nil || burstTime != nil
        if traceFile != nil, replaced || delay != .zero || jitter != .zero || rate != nil {
            throw ValidationError(
                "--trace-file sets loss, burst, delay, jitter and rate: remove those options")
        }
        if let bind, IPAddress(bind) == nil { throw ValidationError("--bind: '\(bind)' is not an address") }
        for mapping in mappings {
            if mapping.listen.address.isUnspecified {
                throw ValidationError("--listen must name one address, so that answers come from it")
            }
            let source = bind.flatMap { IPAddress($0) } ?? mapping.listen.address
            if source.isV4 != mapping.target.address.isV4 {
                throw ValidationError("\(source) cannot send to \(mapping.target): another address family")
            }
        }
        for problem in options(loss: lossUp).problems + options(loss: lossDown).problems {
            throw ValidationError(problem)
        }
    }

    func run() async throws {
        if let stats { try Self.checkWritable(stats) }
        let trace = try traceFile.map(TraceFile.read)
        let loop = try DatagramLoop()
        let relay = ImpairmentRelay(
            loop: loop, bind: bind.flatMap { IPAddress($0) },
            up: direction == .down ? ImpairmentOptions() : options(loss: lossUp),
            down: direction == .up ? ImpairmentOptions() : options(loss: lossDown),
            traceUp: direction == .down ? nil : trace, traceDown: direction == .up ? nil : trace, seed: seed)
        for mapping in mappings {
            let local = try relay.listen(mapping)
            FileHandle.standardError.write(Data("msg=forwarding listen=\(local) to=\(mapping.target)\n".utf8))
        }
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let handler = try loop.start(handler: relay, name: "impair")
        let writer = stats.map { path in
            Task {
                while !Task.isCancelled {
                    try await Task.sleep(for: .seconds(1))
                    guard let report = await loop.query({ handler.value.report }) else { return }
                    // A failure is ignored here; the write at the end reports one.
                    try? report.line.write(to: URL(fileURLWithPath: path), options: .atomic)
                }
            }
        }
        for await _ in signals { break }
        writer?.cancel()
        let report = await loop.query { handler.value.report }
        loop.stop()
        loop.join()
        guard let line = try report?.line else { throw ExitCode.failure }
        PlainOutput.write(line, to: .standardOutput)
        if let stats, (try? line.write(to: URL(fileURLWithPath: stats), options: .atomic)) == nil {
            StandardError.print("reflector: --stats: \(stats) could not be written")
            throw ExitCode(1)
        }
    }

    /// Checks the file before anything is forwarded: a failure only at the end would lose the statistics.
    private static func checkWritable(_ path: String) throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o644)
        guard descriptor >= 0 else {
            StandardError.print("reflector: --stats: \(path): \(String(cString: strerror(errno)))")
            throw ExitCode(2)
        }
        close(descriptor)
    }

    private var mappings: [ImpairmentRelay.Mapping] {
        guard let listen, let to else { return map }
        return [ImpairmentRelay.Mapping(listen: listen, target: to)] + map
    }

    private func options(loss override: Double?) -> ImpairmentOptions {
        var options = ImpairmentOptions()
        options.loss = override ?? loss
        if let burst { options.episode = .datagrams(burst) }
        if let burstTime { options.episode = .time(burstTime) }
        options.delay = delay
        options.jitter = jitter
        options.reorder = reorder
        options.reorderDelayMax = reorderDelay
        options.duplicate = duplicate
        options.bitsPerSecond = rate
        options.queue = queue
        return options
    }
}

/// The direction in which datagrams are impaired.
enum ImpairedDirection: String, ExpressibleByArgument, CaseIterable {
    case both, up, down
}
