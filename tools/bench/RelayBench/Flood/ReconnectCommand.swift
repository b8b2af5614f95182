import ArgumentParser
import DatagramIO
import Foundation
import ReflectorModel

/// Measures how soon all children are served again after a restart of their parent.
struct ReconnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reconnect",
        abstract: "All children of a restarted set reflector open links and subscribe at once.",
        discussion: """
            A set reflector on processor 0 is replaced by a fresh one, and all its children, on processor 1, open links at \
            the same instant. A child is served when it receives a packet. Needs two processors and the right to \
            real-time priorities (root). The exit code is 1 if the median round takes longer than the limit.
            """)

    @Option(help: "Children of the set reflector.")
    var children = 1_000
    @Option(help: "Packets of the stream a second.")
    var rate = 20.0
    @Option(help: "Restarts.")
    var rounds = 3
    @Option(help: "Longest time until all are served, in seconds.")
    var limit = 1.5
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 97

    func validate() throws {
        guard (1...4_000).contains(children), rate > 0, rounds > 0, limit > 0 else {
            throw ValidationError("--children must be 1 to 4000, --rate, --rounds and --limit above zero")
        }
    }

    func run() async throws {
        let testbed = try FloodTestbed(net: net)
        ResultsFile.say("making \(children) identities")
        var parent: LoopThread? = try testbed.startParent()
        let feed = try testbed.startFeed(children: children, rate: rate)
        try await FloodTestbed.waitUntilServed(feed, seconds: 30)
        var times: [Double] = []
        for round in 1...rounds {
            try await Task.sleep(for: .seconds(1))
            parent?.end()
            // Closes its socket.
            parent = nil
            // The entrypoint finds out.
            try await Task.sleep(for: .seconds(4))
            let fresh = try testbed.startParent()
            parent = fresh
            // Also waits until the thread is on its processor.
            let idle = try await fresh.cpu()
            let used = try await feed.cpu()
            try await feed.call { $0.restartChildren() }
            try await FloodTestbed.waitUntilServed(feed, seconds: 30)
            let cpu = try await fresh.cpu() - idle
            let feedUsed = try await feed.cpu() - used
            let count = children
            let shares = [count / 2, count * 9 / 10, count]
            let opened = try await feed.call { feed in shares.map { feed.time(untilOpened: $0)?.seconds ?? .nan } }
            let served = try await feed.call { feed in shares.map { feed.time(untilServed: $0)?.seconds ?? .nan } }
            times.append(served[2])
            ResultsFile.say(
                String(
                    format:
                        "round %d: served after %.2f s (half), %.2f s (90 %%), %.2f s (all), %.2f of the limit; links "
                        + "open after %.2f s, %.2f s, %.2f s; the set reflector used %.2f s of CPU, the children %.2f s",
                    round, served[0], served[1], served[2], served[2] / limit, opened[0], opened[1], opened[2],
                    cpu.seconds, feedUsed.seconds))
        }
        let median = times.sorted()[times.count / 2]
        ResultsFile.say(
            String(format: "median of %d: %.2f s, %.2f of the limit of %.1f s", rounds, median, median / limit, limit))
        feed.end()
        parent?.end()
        guard median <= limit else { throw ExitCode.failure }
    }
}
