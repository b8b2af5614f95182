import ArgumentParser
import Foundation
import Glibc

/// Measures all contenders in interleaved rounds, so that other work on the machine affects all equally.
struct CompareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Measure forwarders in interleaved rounds and append to a results file.")

    @Option(help: "Rounds.")
    var rounds = 5
    @Option(help: "Numbers of children.", transform: { $0.split(separator: ",").compactMap { Int($0) } })
    var children = [1, 4, 16, 64]
    @Option(parsing: .upToNextOption, help: "Shapes: single, runs.")
    var shapes = Shape.allCases
    @Option(parsing: .upToNextOption, help: "Forwarders to measure.")
    var contenders = Contender.allCases
    @Option(help: "Seconds of each measurement.")
    var seconds = 2.0
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 99
    @Option(help: "File to which measurements are appended.")
    var results: String
    @Option(help: "Folder for identities, zone and logs.")
    var folder: String

    func run() throws {
        let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let testbed = Contender.Testbed(net: net)
        let folder = Contender.Folder(path: self.folder, programs: programs)
        try prepare(folder, testbed)
        let nameServer = try Companion(
            ["\(programs)/reflector", "nameserver", "--zones", folder.zones, "--listen", "\(testbed.nameServer):5300"],
            processor: Contender.otherProcessor, log: folder.log)
        defer { nameServer.end() }
        let run = MeasurementRun(testbed: testbed, folder: folder, seconds: seconds)
        let file = try ResultsFile(results)
        for round in 1...max(rounds, 1) {
            for count in children {
                for shape in shapes {
                    for contender in contenders {
                        try measure(contender, count, shape, round, run, file)
                    }
                }
            }
        }
    }

    private func measure(
        _ contender: Contender, _ count: Int, _ shape: Shape, _ round: Int, _ run: MeasurementRun, _ file: ResultsFile
    ) throws {
        let point = "round \(round), \(count) children, \(shape.rawValue), \(contender.rawValue)"
        guard let measured = try run.measure(contender, children: count, shape: shape) else {
            return ResultsFile.say("\(point): nothing was forwarded; see \(run.folder.log)")
        }
        let figures = [measured.microseconds, measured.delivered * 100].map { String(format: "%.3f", $0) }
        ResultsFile.say("\(point): \(figures[0]) µs a packet, \(figures[1]) % delivered")
        try file.append(measured)
    }

    /// Writes a zone of one set reflector and one entrypoint, and a stream for ffmpeg.
    private func prepare(_ folder: Contender.Folder, _ testbed: Contender.Testbed) throws {
        try FileManager.default.createDirectory(atPath: folder.zones, withIntermediateDirectories: true)
        let zone = """
            $TTL 3600
            @      SOA  ns1 hostmaster ( 1 3600 600 604800 5 )
            @      NS   ns1
            ns1    A    \(testbed.nameServer)
            ep-1   A    \(testbed.source)
            set-1  A    \(testbed.forwarder)

            """
        try zone.write(toFile: folder.zones + "/bench.example.zone", atomically: true, encoding: .utf8)
        try "default ttl=3600\nsetregion one hosts=set-1\nregion r1\nmap s* r* one\n".write(
            toFile: folder.zones + "/bench.example.portsets", atomically: true, encoding: .utf8)
        try "stream bench/* s4 entrypoints=ep-1 push\n".write(
            toFile: folder.zones + "/bench.example.streams", atomically: true, encoding: .utf8)
        guard contenders.contains(.ffmpeg), !FileManager.default.fileExists(atPath: folder.stream) else { return }
        let encoder = try Companion(
            ["ffmpeg", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i"]
                + ["testsrc2=size=1280x720:rate=25:duration=20,noise=alls=40:allf=t", "-c:v", "libx264"]
                + ["-preset", "ultrafast", "-b:v", "10M", "-maxrate", "10M", "-bufsize", "2M", "-g", "25"]
                + ["-f", "mpegts", folder.stream],
            processor: Contender.otherProcessor, log: folder.log)
        guard encoder.wait() else { throw Companion.Failure(description: "ffmpeg: see \(folder.log)") }
    }
}
