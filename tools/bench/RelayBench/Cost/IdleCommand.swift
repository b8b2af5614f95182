import ArgumentParser
import Foundation

/// How often idle nodes wake.
struct IdleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "idle", abstract: "Wake-ups of idle nodes: no stream, no viewer.")

    @Option(help: "Seconds to watch.")
    var seconds = 10.0
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 99
    @Option(help: "Folder for keys, identities, zone and logs.")
    var folder: String

    func run() throws {
        let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let testbed = DeliveryTestbed(net: net, folder: folder, programs: programs)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try testbed.writeZone("inner", sets: [("set-1", testbed.set(1))], maps: ["map s* r* set-1-region"])
        let nameServer = try testbed.startNameServer("inner", at: testbed.nameServer)
        defer { nameServer.end() }
        usleep(500_000)
        let set = try testbed.startSet(1)
        let edge = try testbed.startEdgeProcess(server: testbed.nameServer)
        try watch([("set reflector without links", "set-1", set), ("edge reflector without viewers", "edge-9", edge)])
        let entrypoint = try testbed.startEntrypoint()
        try watch([
            ("set reflector that an entrypoint announces to", "set-1", set),
            ("entrypoint without encoders", "ep-1", entrypoint),
        ])
        for process in [set, edge, entrypoint] { process.end() }
    }

    /// The node's own loop runs in a thread that has the node's name. Other wake-ups come from libraries, such as the
    /// HTTP server's clock, once a second.
    private func watch(_ processes: [(name: String, thread: String, process: Companion)]) throws {
        usleep(4_000_000)
        let clocks = processes.map { name, thread, process in
            [ProcessClock(pids: [process.pid], thread: thread), ProcessClock(pids: [process.pid])]
        }
        let before = clocks.map { $0.map { $0.read() } }
        usleep(UInt32(seconds * 1_000_000))
        for (index, (name, _, _)) in processes.enumerated() {
            let sleeps = try zip(clocks[index], before[index]).map { clock, start in
                guard let start, let end = clock.read() else {
                    throw Companion.Failure(description: "\(name): ended; see \(folder)/log")
                }
                return Double(end.sleeps) - Double(start.sleeps)
            }
            ResultsFile.say(
                String(
                    format: "%@: the node wakes %.1f times a second, its process's other threads %.1f", name,
                    sleeps[0] / seconds, max(sleeps[1] - sleeps[0], 0) / seconds))
        }
    }
}
