import ArgumentParser
import DatagramIO
import Foundation
import LocalNetwork
import ReflectorModel
import RelayService
import UnixSignals

/// `reflector up`: a whole network on this machine, with a stream in it.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up",
        abstract: "Run the whole network of a zones folder on this machine, and feed it.",
        discussion: """
            Every node is a process on its loopback address from the zone. Ctrl-C ends them all.
            With --for it ends after that time. Exit status: 0 everything was delivered, 1 something was lost or went \
            wrong, 2 wrong usage.

            With --lab, the example network runs in the laboratory instead: each node on a machine of its own in a \
            network namespace, with wide-area delays and losses between them. It needs root and the checkout; \
            `tools/netlab --help` has more networks, and faults.
            """)

    private static let exampleZones = "zones"

    @Option(help: ArgumentHelp("Folder of the zone files.", valueName: "dir"))
    var zones = UpCommand.exampleZones

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("End after this time, counted from when every edge delivers.", valueName: "seconds"))
    var duration: Int?

    @Option(
        help: ArgumentHelp(
            """
            What an encoder sends: STREAM=test (a moving picture and a tone), STREAM=FILE.ts (in a loop) or \
            STREAM=URL. Repeatable. Default: test, for the first pushed stream of the zone.
            """, valueName: "stream=source"))
    var stream: [StreamFeed] = []

    @Option(help: ArgumentHelp("Viewers of each stream at each edge.", valueName: "n"))
    var viewers = 1

    @Option(help: ArgumentHelp("Folder for keys, states and logs. Default: a temporary one.", valueName: "dir"))
    var state: String?

    @Flag(help: "Print the table as lines every 5 s, even on a terminal.")
    var plain = false

    @Flag(help: "Run the example network in the laboratory, tools/netlab, instead of on loopback addresses.")
    var lab = false

    func validate() throws {
        if lab, !stream.isEmpty || viewers != 1 || state != nil || plain {
            throw ValidationError("--lab goes only with --for; tools/netlab up --help has more options")
        }
        guard (0...1_000).contains(viewers) else { throw ValidationError("--viewers takes 0 to 1000") }
        if let duration, !(1...31_536_000).contains(duration) {
            throw ValidationError("--for takes 1 to 31536000 seconds, not \(duration)")
        }
    }

    func run() async throws {
        if lab { throw Self.usage("\(becomeLaboratory())") }
        // Many viewers need many descriptors, and the reader of our output may exit before us.
        ProcessSetUp.raiseOpenFiles()
        signal(SIGPIPE, SIG_IGN)
        let plan = try makePlan()
        let feeds = try checkedFeeds(plan)
        let folder = try makeFolder()
        let zonesPath = URL(fileURLWithPath: zones).standardizedFileURL.path
        let network = LocalNetwork(
            plan: plan, zones: zonesPath, feeds: feeds, folder: folder, keys: try keys(in: folder, of: plan),
            viewersEach: viewers)
        StandardOutput.print(["\(plan.zone): starting \(plan.nodes.count) nodes; logs in \(folder.path)/logs"])
        let outcome = await UpRun(network: network, duration: duration.map { .seconds($0) }, plain: plain).run()
        if outcome != .bad, folder.isTemporary {
            folder.remove()
        } else if outcome == .bad {
            StandardError.print("reflector: the logs stay in \(folder.path)/logs")
        }
        if outcome != .good { throw ExitCode(1) }
    }

    /// Returns only if that fails.
    private func becomeLaboratory() -> UpLaboratory.Unusable {
        do throws(UpLaboratory.Unusable) {
            let laboratory = try UpLaboratory()
            guard zones == Self.exampleZones || laboratory.has(zones: zones) else {
                return UpLaboratory.Unusable(
                    description: "--lab runs the example zones of the checkout; for other zones write a description: "
                        + "tools/netlab --help")
            }
            return laboratory.become(duration: duration)
        } catch {
            return error
        }
    }

    private func makePlan() throws -> NetworkPlan {
        let contents = try ZoneFolder.contents(zones)
        guard contents.count == 1, let content = contents.first else {
            throw Self.usage("\(zones) holds \(contents.count) zones; up runs the network of one")
        }
        do throws(NetworkPlan.Unusable) {
            let plan = try NetworkPlan(content)
            try plan.checkRunsHere()
            return plan
        } catch {
            throw Self.usage("\(error)")
        }
    }

    private func makeFolder() throws -> RunFolder {
        do throws(StateFolder.Unusable) {
            return try RunFolder(state)
        } catch {
            throw Self.usage("--state: cannot create or write a folder there: \(error)")
        }
    }

    private func keys(in folder: RunFolder, of plan: NetworkPlan) throws -> KeyFile {
        do {
            try folder.makeIdentities(of: plan, now: WallClock.certificateSeconds)
            return try folder.loadOrMakeKeys()
        } catch {
            throw Self.usage("\(error)")
        }
    }

    private func checkedFeeds(_ plan: NetworkPlan) throws -> [StreamFeed] {
        guard !stream.isEmpty else {
            let pushed = plan.content.streams.first { !$0.isPattern && $0.ingest == .push }
            guard let name = pushed.flatMap({ StreamName($0.segments.joined(separator: "/")) }) else {
                throw Self.usage("\(zones) has no pushed stream; name one with --stream")
            }
            return [StreamFeed(stream: name, source: .test)]
        }
        for (index, feed) in stream.enumerated() {
            if plan.candidates(for: feed.stream).isEmpty {
                throw Self.usage("--stream: no line of \(plan.zone).streams covers \(feed.stream)")
            }
            if stream[..<index].contains(where: { $0.stream == feed.stream }) {
                throw Self.usage("--stream: \(feed.stream) is given twice")
            }
            if case .file(let path) = feed.source, !FileManager.default.isReadableFile(atPath: path) {
                throw Self.usage("--stream: \(path) can't be read")
            }
        }
        return stream
    }

    /// Reports a problem of the arguments.
    private static func usage(_ problem: String) -> ExitCode {
        StandardError.print("reflector: \(problem)")
        return ExitCode(2)
    }
}

extension StreamFeed: ExpressibleByArgument {}
