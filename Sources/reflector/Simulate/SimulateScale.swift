import ArgumentParser
import Glibc
import ReflectorModel
import ReflectorSimulation

/// `reflector simulate scale`: thousands of nodes.
struct SimulateScale: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scale", abstract: "Run thousands of nodes and print what each costs.",
        discussion: """
            10 entrypoints announce 10,000 streams. Below them are three layers of set reflectors and 1,000 edge regions \
            with 20 streams each, at 5 packets a second and 0.1 % loss on every link. The processor time is measured for \
            every 16th event and multiplied by 16. Exit status 1 unless every wanted stream flows and nothing is lost.
            """)

    @Option(help: "Edge regions.")
    var edges = 1_000

    @Option(help: "Streams announced.")
    var streams = 10_000

    @Option(help: "Streams that each region's viewers want.")
    var perEdge = 20

    @Option(help: "Virtual seconds.")
    var seconds: Int64 = 60

    @Option(help: "Least number of packets in a ring; it always holds two seconds of its streams.")
    var ring = 8_192

    @Option(help: "Seed.")
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...10_000).contains(edges), (1...60_000).contains(streams), (1...1_000).contains(perEdge),
            (5...3_600).contains(seconds), (64...1_000_000).contains(ring)
        else { throw ValidationError("a figure is out of range") }
    }

    func run() throws {
        var options = ScaleOptions()
        options.edges = edges
        options.streams = streams
        options.streamsPerEdge = perEdge
        options.span = .seconds(seconds)
        options.ringPacketsMin = ring
        options.seed = seed
        let started = Self.threadTime()
        let report = ScaleSimulation(options, clock: Self.threadTime).run()
        let spent = Double(Self.threadTime() - started) / 1e9
        print(
            "layer        nodes  streams   links   in/s a node  out/s a node  control/s  µs of processor a virtual second and node"
        )
        for layer in report.layers {
            let span = Double(seconds)
            func each(_ count: UInt64) -> String {
                "\((Double(count) / span / Double(layer.nodes) * 10).rounded() / 10)"
            }
            print(
                layer.name + "\(layer.nodes)".right(18 - layer.name.count) + "\(layer.streams)".right(9)
                    + "\(layer.links)".right(8) + each(layer.datagramsIn).right(14) + each(layer.datagramsOut).right(14)
                    + each(layer.controlOut).right(11) + each(layer.nanoseconds / 1_000).right(12))
        }
        print(
            "\(report.flowing) of \(report.wanted) wanted streams flow; delivered \(report.delivered), lost \(report.lost); "
                + "\(report.events) events in \(Int(spent.rounded())) s of processor time; digest "
                + String(report.digest, radix: 16))
        let nodes = report.layers.reduce(0) { $0 + $1.nodes }
        let bytes = Self.peakBytes()
        print("memory: \(bytes >> 20) MB at peak, \((bytes / nodes) >> 10) KB a node")
        if report.flowing != report.wanted || report.lost > 0 { throw ExitCode(1) }
    }

    /// Peak resident memory of the process.
    private static func peakBytes() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Int(usage.ru_maxrss) << 10
    }

    private static func threadTime() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
