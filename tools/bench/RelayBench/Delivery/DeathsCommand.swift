import ArgumentParser
import DatagramIO
import Foundation
import ReflectorModel
import RelayService

/// Kills the set reflector in use (`kill -9`), again and again, under a stream that an edge plays out late enough for
/// nothing to be lost.
struct DeathsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deaths", abstract: "Kill the parent in use many times; lost packets and largest gaps.")

    @Option(help: "Kills that count.")
    var kills = 50
    @Option(help: "Play-out deadline in milliseconds.")
    var milliseconds = 500
    @Option(help: "Packets a second.")
    var rate = 200.0
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 100
    @Option(help: "Folder for keys, zones and logs.")
    var folder: String

    /// A host that stood still this long spoils a kill; it is done again, so often at most.
    private static let stallMax = TimeSpan.milliseconds(100)
    private static let repeatsMax = 3

    private struct Outcome {
        var lost: Int
        var gap: TimeSpan
        var stall: TimeSpan
    }

    func run() async throws {
        let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let place = DeliveryPlace(net: net, folder: folder, programs: programs)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let sets = (1...3).map { ("set-\($0)", place.set($0)) }
        for name in ["inner", "outer"] {
            try place.writeZone(name, sets: sets, maps: ["map s* r* set-1-region set-2-region set-3-region"])
        }
        let others = [
            try place.startNameServer("inner", at: place.nameServer),
            try place.startNameServer("outer", at: place.edgeNameServer), try place.startEntrypoint(),
        ]
        var running: [String: Companion] = [:]
        for number in 1...3 { running["set-\(number)"] = try place.startSet(number) }
        defer { (others + running.values).forEach { $0.end() } }
        try await Task.sleep(for: .seconds(1))
        let meter = DeliveryMeter()
        let edge = try await place.startEdge(0, deadline: .milliseconds(Int64(milliseconds)), meter: meter)
        guard let address = IPAddress(place.feed), let target = Endpoint(place.encoderPort) else { return }
        let loop = try DatagramLoop()
        let feed = try loop.start(
            handler: NumberedFeed(
                loop: loop, from: address, to: [target], sinks: [], meters: [], rate: rate, packets: 1 << 23),
            name: "feed")
        try await Task.sleep(for: .seconds(4))

        let before = await edge.status()?.counters ?? [:]
        var outcomes: [Outcome] = []
        var repeats = 0
        while outcomes.count < kills {
            guard let parent = await edge.status()?.streams.first?.paths.first?.parent,
                let victim = running.removeValue(forKey: parent), let number = Int(parent.dropFirst(4))
            else { throw Companion.Failure(description: "the edge has no parent") }
            let from =
                await loop.query {
                    feed.value.forgetLateness()
                    return feed.value.sent + 1
                } ?? UInt64(1)
            meter.restart()
            victim.end()
            try await Task.sleep(for: .seconds(1))
            running[parent] = try place.startSet(number)
            // Long enough for all that was sent meanwhile to be played out or given up, and for the new one to be warm.
            let to = await loop.query { feed.value.sent } ?? UInt64(1)
            try await Task.sleep(for: .milliseconds(milliseconds + 1_500))
            let stall = await loop.query { feed.value.latenessMax } ?? .zero
            let outcome = Outcome(lost: meter.missing(in: from...to), gap: meter.gapMax, stall: stall)
            if stall > Self.stallMax, repeats < Self.repeatsMax {
                repeats += 1
                ResultsFile.say("kill \(outcomes.count + 1): the host stalled \(stall.milliseconds) ms, done again")
                continue
            }
            outcomes.append(outcome)
            ResultsFile.say(
                "kill \(outcomes.count): \(parent), \(outcome.lost) lost, largest gap \(outcome.gap.milliseconds) ms")
        }
        let after = await edge.status()?.counters ?? [:]
        summarize(outcomes, repeats: repeats, before: before, after: after)
        await edge.stop()
        loop.stop()
    }

    private func summarize(
        _ outcomes: [Outcome], repeats: Int, before: [String: UInt64], after: [String: UInt64]
    ) {
        let gaps = outcomes.map(\.gap.milliseconds).sorted()
        func quantile(_ share: Double) -> Int64 { gaps[min(Int(Double(gaps.count) * share), gaps.count - 1)] }
        let lost = outcomes.reduce(0) { $0 + $1.lost }
        func rise(_ name: String) -> Double { Double((after[name] ?? 0) - (before[name] ?? 0)) }
        ResultsFile.say(
            "\(outcomes.count) kills (\(repeats) repeated, host stalled): \(lost) packets lost in "
                + "\(outcomes.count { $0.lost > 0 }) of them; largest gap of each, ms: least \(quantile(0)), "
                + "median \(quantile(0.5)), 90 % \(quantile(0.9)), most \(quantile(1))")
        ResultsFile.say(
            String(
                format: "copies of a packet received by the edge over the whole run: %.3f",
                rise("data_received") / max(rise("delivered"), 1)))
    }
}
