import ArgumentParser
import DatagramIO
import Foundation
import ReflectorModel

/// Measures what floods of handshake messages do to live streams.
struct FloodCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flood", abstract: "Live streams through a set reflector that is flooded with Hellos or Opens.",
        discussion: """
            A set reflector on processor 0 sends a stream to children on processor 1, over the loopback network: first \
            undisturbed, then under each flood. A packet is late if it arrives more than 20 ms after it was sent. Needs two \
            processors and the right to real-time priorities (root), so that other work on the machine does not count. \
            The exit code is 1 if more packets are late or lost under a flood than without it.
            """)

    @Option(help: "Children of the set reflector.")
    var children = 16
    @Option(help: "Packets of the stream a second.")
    var rate = 1_000.0
    @Option(parsing: .upToNextOption, help: "Floods: hello, random, untrusted, expired, impostor.")
    var floods = Flood.allCases
    @Option(help: "Hellos a second.")
    var hellos = 100_000.0
    @Option(help: "Opens a second.")
    var opens = 10_000.0
    @Option(help: "Addresses that the floods come from.")
    var sources = 1_000
    @Option(help: "Seconds of each run.")
    var seconds = 10.0
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 98

    func validate() throws {
        guard (1...4_000).contains(children), (1...4_000).contains(sources), rate > 0, hellos > 0, opens > 0,
            seconds > 0
        else { throw ValidationError("--children and --sources must be 1 to 4000, the others above zero") }
    }

    func run() async throws {
        let testbed = try FloodTestbed(net: net)
        let parent = try testbed.startParent()
        let feed = try testbed.startFeed(children: children, rate: rate)
        try await FloodTestbed.waitUntilServed(feed, seconds: 30)
        // The relay's ring wraps once: before that, each packet is written to memory that the kernel must allocate.
        try await Task.sleep(for: .seconds(6))
        ResultsFile.say("\(children) children, \(Int(rate)) packets a second, \(seconds) s each")
        let quiet = try await measure("no flood", parent, feed, flooder: nil)
        var isGood = true
        for flood in floods {
            let flooder = try testbed.startFlood(flood, rate: flood == .hello ? hellos : opens, sources: sources)
            try await Task.sleep(for: .seconds(1))
            let outcome = try await measure(flood.text, parent, feed, flooder: flooder)
            flooder.end()
            isGood = isGood && outcome.late <= quiet.late && outcome.lost <= quiet.lost
            ResultsFile.say(
                "  late: \(outcome.late) with, \(quiet.late) without; lost: \(outcome.lost) with, \(quiet.lost) without"
            )
            try await Task.sleep(for: .seconds(2))
        }
        feed.end()
        parent.end()
        guard isGood else { throw ExitCode.failure }
    }

    private func measure(
        _ name: String, _ parent: LoopThread<BenchParent>, _ feed: LoopThread<LiveFeed>, flooder: LoopThread<Flooder>?
    ) async throws -> LiveFeed.Outcome {
        let counters = try await parent.call { $0.counters }
        let sent = try await flooder?.call { ($0.hellos, $0.opens) }
        let (from, cpu) = (DatagramLoop.now, try await parent.cpu())
        try await feed.call { $0.begin() }
        try await Task.sleep(for: .seconds(seconds))
        try await feed.call { $0.mark() }
        let span = DatagramLoop.now - from
        let used = try await parent.cpu() - cpu
        let sentNow = try await flooder?.call { ($0.hellos, $0.opens) }
        try await Task.sleep(for: .seconds(1))
        let outcome = try await feed.call { $0.finish() }
        let after = try await parent.call { $0.counters }
        ResultsFile.say(
            String(
                format: "%@: %d of %d late, %d lost; delay %.1f ms at half, %.1f ms at 99.9 %%, %.1f ms at most "
                    + "(the feed itself was %.1f ms late); %.1f %% of the set reflector's processor", name,
                outcome.late,
                outcome.expected, outcome.lost, outcome.delay(share: 0.5), outcome.delay(share: 0.999),
                outcome.delayMax.seconds * 1_000, outcome.stallMax.seconds * 1_000, 100 * used.seconds / span.seconds))
        if let sent, let sentNow {
            ResultsFile.say(
                String(
                    format: "  sent %.0f Hellos/s and %.0f Opens/s", Double(sentNow.0 - sent.0) / span.seconds,
                    Double(sentNow.1 - sent.1) / span.seconds))
            let changed = after.filter { $0.value != counters[$0.key] && Self.shown.contains($0.key) }
            let list = changed.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value - (counters[$0.key] ?? 0))" }
            ResultsFile.say("  the set reflector counted: " + (list.isEmpty ? "nothing" : list.joined(separator: ", ")))
        }
        return outcome
    }

    /// Counters that say what became of a flood.
    private static let shown: Set<String> = [
        "dropped_hello_flood", "dropped_opens_full", "rejected_bad_cookie", "rejected_handshake",
        "certificates_expired",
        "certificates_untrusted", "links_refused", "links_opened", "links_evicted", "receive_buffer_full", "naks_sent",
        "repaired", "late_wakeups", "lost",
    ]
}
