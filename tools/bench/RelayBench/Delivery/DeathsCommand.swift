import ArgumentParser
import DatagramIO
import Foundation
import ReflectorModel
import RelayService

/// Kills the parent in use, or cuts its link, many times, while an edge plays out streams late enough to lose nothing.
/// The parent or link returns a second later.
struct DeathsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deaths",
        abstract: "Kill the parent in use or cut its link many times; lost packets and largest gaps.",
        discussion: """
            Odd runs kill the parent, even ones cut its link. After some runs, nothing is killed until the edge has \
            returned to its first parents, which it does when they have worked for 30 s. Every packet of the \
            session belongs to one run. A run in which the host stalled for over 100 ms is reported and repeated, at \
            most three times.

            Lost: never delivered. Late: delivered more than the play-out deadline after it was sent.

            Exit status: 0 nothing lost or late, nothing twice, all in order, all returns made; 1 otherwise.
            """)

    @Option(help: "Number of deaths, without repeated runs.")
    var runs = 50
    @Option(help: "Play-out deadline in milliseconds.")
    var milliseconds = 500
    @Option(parsing: .upToNextOption, help: "Packets a second, of each stream.")
    var rates = [200.0, 20.0]
    @Option(help: "Number of deaths, evenly spread, after which nothing is killed until the edge has returned.")
    var returns = 5
    @Option(help: "Set reflectors in each of three set regions, 1 to 3.")
    var hosts = 3
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 86
    @Option(help: "Folder for keys, identities, zone and logs.")
    var folder: String

    private static let stallMax = TimeSpan.milliseconds(100)
    private static let repeatsMax = 3
    /// Time from a death to the return, and from there to the earliest next death.
    private static let absence = Duration.seconds(1)
    private static let presence = Duration.seconds(2)
    /// The edge avoids a parent for up to 30 s after repeated failures, and returns to it 30 s after it has recovered.
    private static let returnMax = TimeSpan.seconds(90)
    /// Time until all links must be warm and all streams must flow.
    private static let startTime = Duration.seconds(4)

    func validate() throws {
        guard runs > 0, (1..<2_000).contains(milliseconds), !rates.isEmpty, rates.count <= 8,
            rates.allSatisfy({ $0 > 0 })
        else {
            throw ValidationError("--runs and --rates (8 at most) must be above zero, --milliseconds 1 to 1999")
        }
        guard (1...3).contains(hosts) else { throw ValidationError("--hosts must be 1 to 3") }
    }

    func run() async throws {
        let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let testbed = DeliveryTestbed(net: net, folder: folder, programs: programs)
        var network = try ParentDeathNetwork(testbed, hosts: hosts, streams: rates.count)
        defer { network.end() }
        try await Task.sleep(for: .seconds(1))
        let deadline = TimeSpan.milliseconds(Int64(milliseconds))
        let streams = try rates.enumerated().map {
            try MeasuredStream($0, rate: $1, deadline: deadline, testbed: testbed)
        }
        defer { streams.forEach { $0.stop() } }
        let edge = try await testbed.startEdge(0, deadline: deadline, meters: streams.map(\.meter))
        try await Task.sleep(for: Self.startTime)
        guard streams.allSatisfy({ $0.meter.first > 0 }) else {
            throw Companion.Failure(description: "a stream did not arrive; see \(testbed.log)")
        }

        let watch = StallDetector()
        let before = await edge.status()?.counters ?? [:]
        for stream in streams { await stream.begin() }
        var report = DeathsReport(rates: rates)
        let home = await Self.parents(of: streams.count, at: edge)
        while report.runs.count < runs {
            let number = report.runs.count + 1
            let death: ParentDeathNetwork.Death = number.isMultiple(of: 2) ? .link : .parent
            let returnsTo = number * returns / runs > (number - 1) * returns / runs ? home : nil
            let run = try await measure(
                death, network: &network, edge: edge, streams: streams, watch: watch, returnsTo: returnsTo)
            let isRepeated = run.stall > Self.stallMax && report.repeated < Self.repeatsMax
            ResultsFile.say(report.line(run) + (isRepeated ? "; the host stalled: repeated" : ""))
            if isRepeated { report.repeated += 1 } else { report.runs.append(run) }
        }
        let after = await edge.status()?.counters ?? [:]
        report.counters = after.merging(before) { $0 - $1 }
        await edge.stop()
        ResultsFile.say(report.summary)
        if !report.isFlawless { throw ExitCode.failure }
    }

    /// Measures one death and its consequences.
    ///
    /// - Parameter home: the parents to which each stream must return before the measurement ends; nil: no wait.
    private func measure(
        _ death: ParentDeathNetwork.Death, network: inout ParentDeathNetwork, edge: RunningNode,
        streams: [MeasuredStream],
        watch: StallDetector, returnsTo home: [[String]]?
    ) async throws -> DeathRun {
        let parents = await Self.parents(of: streams.count, at: edge)
        guard let parent = parents[0].first, let number = ParentDeathNetwork.number(of: parent) else {
            throw Companion.Failure(description: "the edge has no parent; see \(folder)/log")
        }
        _ = watch.take()
        let lateBefore = await Self.lateWakeups(of: edge)
        network.strike(death, of: number)
        try await Task.sleep(for: Self.absence)
        let followers = await Self.parents(of: streams.count, at: edge)
        try network.restore(death, of: number)
        try await Task.sleep(for: Self.presence)
        var returned: TimeSpan?
        if let home {
            let from = DatagramLoop.now
            while returned == nil, DatagramLoop.now - from < Self.returnMax {
                try await Task.sleep(for: .milliseconds(250))
                if await Self.parents(of: streams.count, at: edge) == home { returned = DatagramLoop.now - from }
            }
        }
        for stream in streams { await stream.mark() }
        try await Task.sleep(for: .milliseconds(milliseconds + 300))
        return DeathRun(
            death: death, parent: parent, follower: followers[0].first, paths: parents[0].count, stall: watch.take(),
            lateWakeups: await Self.lateWakeups(of: edge) - lateBefore,
            hasMoved: followers.allSatisfy { !$0.isEmpty && !$0.contains(parent) },
            isStruck: parents.map { $0.contains(parent) }, isReturnDue: home != nil, returned: returned,
            outcomes: streams.map { $0.finish() })
    }

    private static func lateWakeups(of edge: RunningNode) async -> UInt64 {
        await edge.status()?.counters["late_wakeups"] ?? 0
    }

    /// Names of the current parents of each stream, the one in use first.
    private static func parents(of streams: Int, at edge: RunningNode) async -> [[String]] {
        let status = await edge.status()?.streams ?? []
        return (0..<streams).map { number in
            let paths = status.first { $0.name == DeliveryTestbed.stream(number) }?.paths ?? []
            return paths.filter { $0.state == "live" }.map(\.parent)
        }
    }
}
