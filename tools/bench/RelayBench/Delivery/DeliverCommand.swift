import ArgumentParser
import DatagramIO
import Foundation
import ReflectorModel
import RelayService

/// One run of one transport over one kind of link.
struct DeliverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliver", abstract: "Send a numbered stream over a bad link and count what comes out.")

    @Option(help: "ours, srt or rist.")
    var transport: Transport
    @Option(help: "Play-out deadline, latency or buffer, in milliseconds.")
    var milliseconds = 120
    @Option(help: "Loss of the link each way, in per cent.")
    var loss = 0.0
    @Option(help: "Mean burst of losses, in packets.")
    var burst = 1.0
    @Option(help: "One-way delay in milliseconds.")
    var delay = 20.0
    @Option(help: "Additional delay of each packet, uniform from 0 to this, in milliseconds; order is not kept.")
    var jitter = 0.0
    @Option(help: "No impairment, and this many hops from entrypoint to edge (ours): 2 or 3.")
    var hops = 0
    @Option(help: "Receivers of the stream, each with a link of its own (ours).")
    var receivers = 1
    @Option(help: "Packets a second.")
    var rate = 1_000.0
    @Option(help: "Seconds measured.")
    var seconds = 60.0
    @Option(help: "Seed of the impairment.")
    var seed = 1
    @Option(help: "Second byte of the loopback addresses used.")
    var net = 100
    @Option(help: "Folder for keys, identities, zone and logs.")
    var folder: String

    /// SRT's handshake is slow on a link with 10 % loss.
    private var warmUpSeconds: Double { 10 }

    func run() async throws {
        let programs = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let testbed = DeliveryTestbed(net: net, folder: folder, programs: programs)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let report: DeliveryReport
        switch transport {
        case .ours: report = try await measureOurs(testbed)
        case .srt, .rist: report = try await measurePeer(testbed)
        }
        FileHandle.standardOutput.write(try JSONEncoder().encode(report) + Data("\n".utf8))
    }

    // MARK: Ours

    private func measureOurs(_ testbed: DeliveryTestbed) async throws -> DeliveryReport {
        let isImpaired = hops == 0
        let parent = isImpaired ? testbed.impairment() : testbed.set(hops - 1)
        let sets = (1...max(hops - 1, 1)).map { ("set-\($0)", testbed.set($0)) }
        // A chain: edges fetch from the last set reflector, each set reflector from the one before, the first from the
        // entrypoint.
        let last = sets.count
        var maps = ["map s* r* set-\(last)-region"]
        if last > 1 { maps += (2...last).map { "map s* set-\($0)-region set-\($0 - 1)-region" } }
        try testbed.writeZone("inner", sets: sets, maps: maps)
        try testbed.writeZone(
            "outer", sets: isImpaired ? [("set-1", parent)] : sets, maps: maps)
        var companions = [
            try testbed.startNameServer("inner", at: testbed.nameServer),
            try testbed.startNameServer("outer", at: testbed.edgeNameServer), try testbed.startEntrypoint(),
        ]
        for number in 1...last {
            companions.append(try testbed.startSet(number, region: last > 1 ? 9_000 + number : nil))
        }
        defer { companions.forEach { $0.end() } }
        let impairment =
            isImpaired ? try startImpairment(testbed, to: "\(testbed.set(1)):4900", listen: "\(parent):4900") : nil
        let meters = (0..<receivers).map { _ in DeliveryMeter() }
        try await Task.sleep(for: .seconds(1))
        var edges: [RunningNode] = []
        for (number, meter) in meters.enumerated() {
            edges.append(
                try await testbed.startEdge(number, deadline: .milliseconds(Int64(milliseconds)), meters: [meter]))
        }
        var report = try await run(testbed, targets: [testbed.encoderPort()], sinks: [], meters: meters) {
            impairment?.finish().map { $0.largeDown }
        }
        for edge in edges {
            guard let status = await edge.status() else { continue }
            for key in ["lost", "repaired", "nak_numbers_asked", "naks_sent", "duplicates", "delivered"] {
                report.counters[key, default: 0] += status.counters[key] ?? 0
            }
            await edge.stop()
        }
        return report
    }

    // MARK: Peers

    private func measurePeer(_ testbed: DeliveryTestbed) async throws -> DeliveryReport {
        let input = testbed.encoderPort()
        let (outer, inner) = ("\(testbed.impairment()):6000", "\(testbed.address(4)):6000")
        let sink = "\(testbed.sink):7000"
        let impairment = try startImpairment(testbed, to: inner, listen: outer)
        let commands: [[String]]
        if transport == .srt {
            commands = [
                ["srt-live-transmit", "-q", "-loglevel:fatal"]
                    + ["srt://\(inner)?mode=listener&latency=\(milliseconds)", "udp://\(sink)"],
                ["srt-live-transmit", "-q", "-loglevel:fatal", "udp://\(input)"]
                    + ["srt://\(outer)?latency=\(milliseconds)"],
            ]
        } else {
            commands = [
                ["ristreceiver", "-p", "1", "-v", "-1", "-S", "0", "-i"]
                    + ["rist://@\(inner)?buffer=\(milliseconds)", "-o", "udp://\(sink)"],
                ["ristsender", "-p", "1", "-v", "-1", "-S", "0", "-i", "udp://@\(input)", "-o"]
                    + ["rist://\(outer)?buffer=\(milliseconds)"],
            ]
        }
        var companions: [Companion] = []
        defer { companions.forEach { $0.end() } }
        for words in commands {
            companions.append(try Companion(words, processor: nil, log: testbed.log))
            try await Task.sleep(for: .milliseconds(500))
        }
        return try await run(testbed, targets: [input], sinks: [sink], meters: [DeliveryMeter()]) {
            impairment.finish().map { $0.largeUp }
        }
    }

    // MARK: Both

    private func startImpairment(_ testbed: DeliveryTestbed, to target: String, listen: String) throws
        -> ImpairmentProcess
    {
        try ImpairmentProcess(
            testbed,
            ["--listen", listen, "--to", target, "--delay", "\(delay)ms", "--loss", "\(loss)%", "--burst", "\(burst)"]
                + (jitter > 0 ? ["--reorder", "100%", "--reorder-delay", "\(jitter)ms"] : []) + ["--seed", "\(seed)"])
    }

    /// Sends the stream, waits for late packets, and counts.
    /// - Parameter crossed: ends the impairment and returns the number of the stream's packets on its links.
    private func run(
        _ testbed: DeliveryTestbed, targets: [String], sinks: [String], meters: [DeliveryMeter],
        crossed: () -> UInt64?
    ) async throws -> DeliveryReport {
        guard let address = IPAddress(testbed.feed) else { throw Companion.Failure(description: "net \(net)") }
        let loop = try DatagramLoop()
        let packets = UInt64((warmUpSeconds + seconds) * rate)
        let feed = try loop.start(
            handler: NumberedFeed(
                loop: loop, from: address, to: targets.compactMap { Endpoint($0) },
                sinks: sinks.compactMap { Endpoint($0) }, meters: meters, rate: rate, packets: packets),
            name: "feed")
        try await Task.sleep(for: .seconds(warmUpSeconds))
        guard meters.allSatisfy({ $0.first > 0 }) else {
            throw Companion.Failure(description: "nothing arrived within \(warmUpSeconds) s; see \(testbed.log)")
        }
        for meter in meters { meter.restart() }
        let from = await loop.query { feed.value.sent + 1 } ?? 0
        while let sent = await loop.query({ feed.value.sent }), sent < packets {
            try await Task.sleep(for: .milliseconds(100))
        }
        let gapMax = meters.map(\.gapMax.seconds).max() ?? 0
        let delays = DelaySummary(meters)
        try await Task.sleep(for: .milliseconds(milliseconds + 1_500))
        let stall = await loop.query { feed.value.latenessMax } ?? .zero
        loop.stop()
        let numbers = from...packets
        let streamed = meters.reduce(0) { $0 + Double(packets - $1.first + 1) }
        let overhead = crossed().map { (Double($0) / streamed - 1) * 100 }
        return DeliveryReport(
            transport: transport, milliseconds: milliseconds, lossPercent: loss, burst: burst,
            jitterMilliseconds: jitter, hops: hops, packets: numbers.count * meters.count,
            missing: meters.reduce(0) { $0 + $1.missing(in: numbers) },
            duplicates: meters.reduce(0) { $0 + Int($1.duplicates) },
            outOfOrder: meters.reduce(0) { $0 + Int($1.outOfOrder) }, overheadPercent: overhead,
            delayMedian: delays.quantile(0.5), delay999: delays.quantile(0.999), gapMax: gapMax * 1_000,
            stallMax: stall.seconds * 1_000, counters: [:])
    }
}

extension Transport: ExpressibleByArgument {}

/// Delays of several meters combined.
private struct DelaySummary {
    private let steps: [UInt64]

    init(_ meters: [DeliveryMeter]) {
        let all = meters.map(\.delays)
        steps = all.dropFirst().reduce(all.first ?? []) { sum, more in zip(sum, more).map { $0 + $1 } }
    }

    /// In milliseconds.
    func quantile(_ share: Double) -> Double {
        let wanted = Double(steps.reduce(0, +)) * share
        var passed = 0.0
        for (step, count) in steps.enumerated() {
            passed += Double(count)
            if passed >= wanted { return Double(step) * DeliveryMeter.delayStep.seconds * 1_000 }
        }
        return .nan
    }
}
