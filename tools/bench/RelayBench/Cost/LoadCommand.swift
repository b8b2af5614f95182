import ArgumentParser
import DatagramIO
import Foundation
import IdentityKeys
import NodeIdentity
import ReflectorModel

/// One measurement: a load on a running forwarder, and the CPU time that the forwarder used for it.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Feed a running forwarder, count what it forwards, and print its CPU time.")

    @Option(help: "Process id of the forwarder. Repeatable.")
    var pid: [Int32]
    @Option(help: "Where the forwarder listens, ADDRESS:PORT. Repeatable: a copy of every packet goes to each.")
    var to: [String]
    @Option(help: "Address to send from.")
    var from: String
    @Option(help: "Address where the children receive.")
    var sinks: String
    @Option(help: "First port where the children receive, for forwarders without our handshake.")
    var port: UInt16 = 0
    @Option(help: "Number of children.")
    var children = 1
    @Option(help: "Streams, for a set reflector.")
    var streams = 1
    @Option(help: "Packets a second to the forwarder.")
    var rate = 1_000.0
    @Option(help: "Packets sent back to back.")
    var burst = 1
    @Option(help: "Bytes of a packet's payload.")
    var length = 1_316
    @Option(help: "Seconds to measure.")
    var seconds = 2.0
    @Option(help: "Folder of the benchmark's identities: the forwarder is one of our set reflectors.")
    var identities: String?
    @Option(help: "File from which the packets are cut, in a loop (plain forwarders).")
    var payload: String?

    func validate() throws {
        if rate <= 0 || burst < 1 || children < 1 || streams < 1 || !(1...1_400).contains(length) {
            throw ValidationError("--rate, --burst, --children and --streams must be above zero, --length 1 to 1400")
        }
    }

    func run() throws {
        let targets = try to.map { text in
            guard let endpoint = Endpoint(text) else { throw ValidationError("--to: '\(text)'") }
            return endpoint
        }
        guard let first = targets.first, let source = IPAddress(from), let sink = IPAddress(sinks) else {
            throw ValidationError("--to, --from and --sinks must be addresses")
        }
        let loop = try DatagramLoop()
        let feed: any LoadFeed
        if let identities {
            let made = LocalIdentities(identities)
            let ends = [LocalIdentities.Node(name: "ep-1", role: .entrypoint)]
            try made.make(
                ends + (0..<children).map { .init(name: "child-\($0)", role: .edge, region: .edge(RegionID(1))) },
                zone: BenchIdentity.zone, now: UInt64(time(nil)))
            let names = (0..<streams).compactMap { StreamName("bench/\($0)") }
            feed = try RelayFeed(
                loop: loop, entrypoint: Endpoint(address: source, port: 4_900), parent: first, sinks: [sink],
                children: children, streams: names, payloadLength: length
            ) { name, _ in
                try BenchIdentity(loading: made.folder(of: name))
            }
        } else {
            let bytes = try payload.map { try Data(contentsOf: URL(fileURLWithPath: $0)) }
            feed = try PlainFeed(
                loop: loop, from: source, to: targets,
                sinks: (0..<children).map { Endpoint(address: sink, port: port + UInt16($0)) },
                payload: bytes ?? Data(repeating: 0x47, count: length * 64), length: length)
        }
        let run = LoadRun(
            loop: loop, feed: feed, plan: .init(rate: rate, burst: burst, seconds: seconds),
            clock: ProcessClock(pids: pid))
        loop.run(handler: run)
        guard let report = run.report else {
            FileHandle.standardError.write(Data("relay-bench load: nothing was forwarded, or a process ended\n".utf8))
            throw ExitCode.failure
        }
        FileHandle.standardOutput.write(try JSONEncoder().encode(report) + Data("\n".utf8))
    }
}
