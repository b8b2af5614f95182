import ReflectorModel
import RelayCore

/// What is promised of every node at every step, and of the whole network in the end (design §7).
extension Simulation {
    /// Tables of a node in a network this small.
    private static var linksMax: Int { 24 }
    private static var timersMax: Int { 4_096 }
    private static var queuedMax: Int { 8_192 }
    /// Overlap of make before break, and what a wake-up may be late.
    private static var overlapMax: TimeSpan { .milliseconds(2_100) }
    private static var inspectInterval: TimeSpan { .milliseconds(100) }
    /// Wake-ups by timer in an inspection interval: under load a flush each 0.7 ms, and with prebursts one each 2 ms for
    /// every child.
    private static var wakesMax: Int { 600 }
    private static var idleWakesMax: Int { 2 }
    /// After the last viewer has left: the graces of edge, set and transit set, and a second for what is under way.
    private static var quietAfter: TimeSpan { .milliseconds(8_000) }

    func judgeSending(_ bytes: [UInt8], to: Endpoint, from node: SimulatedNode) {
        guard !node.host.isInsider else { return }
        guard !bytes.isEmpty else { return judge.broken("\(node.host.name) sends an empty datagram") }
        if let wrong = node.ledger.noteSending(bytes, to: to) {
            judge.broken("\(node.host.name) sends \(wrong)")
        }
        guard let (tag, sequence) = Self.packet(bytes) else { return }
        counts.dataSent += 1
        if node.host.role == .edge { judge.broken("\(node.host.name) is an edge and sends data") }
        if node.host.role == .set, !node.held.has(tag, sequence) {
            judge.broken("\(node.host.name) sends number \(sequence), which it never had")
        }
        // An insider that asks for a stream is a viewer like others.
        if !options.scenario.hasInsiders, !wanted.contains(where: { $0.contains(true) }),
            lastWanted == .zero || now - lastWanted > Self.quietAfter
        {
            judge.broken("\(node.host.name) sends data that no viewer wants")
        }
    }

    func inspect() {
        events.schedule(.inspect, at: now + Self.inspectInterval)
        for node in nodes {
            defer { node.wakes = 0 }
            guard !node.host.isInsider, let relay = node.relay, now >= node.pausedUntil else { continue }
            let census = relay.census
            judgeTables(census, of: node)
            judgePaths(census, of: node)
            judgeSources(census, of: node)
            let isIdle = census.streams == 0 && census.parentLinks == 0 && census.childLinks == 0
            // Idle all the while, not just now.
            let wakesMax = isIdle && node.wasIdle ? Self.idleWakesMax : Self.wakesMax
            node.wasIdle = isIdle
            if node.wakes > wakesMax {
                judge.broken("\(node.host.name) wakes \(node.wakes) times in 100 ms, idle: \(isIdle)")
            }
        }
    }

    private func judgeTables(_ census: RelayCensus, of node: SimulatedNode) {
        let name = node.host.name
        if census.parentLinks > Self.linksMax || census.childLinks > Self.linksMax {
            judge.broken("\(name) has \(census.parentLinks) and \(census.childLinks) links")
        }
        let streamsMax = options.scenario.hasInsiders ? Topology.streamsMaxAmongInsiders : zone.streams.count
        if census.streams > streamsMax { judge.broken("\(name) has \(census.streams) streams") }
        if census.timers > Self.timersMax { judge.broken("\(name) has \(census.timers) timers") }
        if census.queued > Self.queuedMax { judge.broken("\(name) has \(census.queued) packets queued") }
        let keysMax = 2 * (census.parentLinks + census.childLinks) + census.streams
        if let keys = node.crypto?.keyCount, keys > keysMax { judge.broken("\(name) holds \(keys) keys of \(keysMax)") }
        counts.gapsMax = max(counts.gapsMax, census.gaps)
        counts.timersMax = max(counts.timersMax, census.timers)
    }

    /// One to three paths, and an overlap of at most two seconds.
    private func judgePaths(_ census: RelayCensus, of node: SimulatedNode) {
        for stream in zone.streams {
            let paths = census.paths.filter { $0.stream == stream.name }
            let staying = paths.count { !$0.isLeaving }
            if staying > 3 { judge.broken("\(node.host.name) fetches \(stream.name) by \(staying) paths") }
            counts.pathsMax = max(counts.pathsMax, staying)
            guard paths.contains(where: \.isLeaving) else {
                node.leavingSince[stream.name] = nil
                continue
            }
            let since = node.leavingSince[stream.name] ?? now
            node.leavingSince[stream.name] = since
            if now - since > Self.overlapMax + Self.inspectInterval {
                judge.broken(
                    "\(node.host.name) keeps \(stream.name) on a path that it leaves for \((now - since).milliseconds) ms"
                )
            }
        }
    }

    // MARK: Liveness

    private static var catchUp: TimeSpan { .seconds(3) }

    /// Faults have stopped: every stream that is wanted must reach every edge that wants it, and nothing be lost.
    func judgeLiveness(isLast: Bool) {
        var missing: UInt64 = 0
        for edge in topology.edges {
            guard let receiver = nodes[edge].receiver else { continue }
            for (stream, receipt) in receiver.receipts.enumerated() {
                missing += receipt.missing
                guard wanted[edge][stream] else { continue }
                judgeArrival(receipt, of: stream, at: receiver.name)
            }
        }
        if isLast, missing != missingWhenAlive {
            judge.broken("\(missing - missingWhenAlive) packets lost after the network had recovered")
        }
        missingWhenAlive = missing
    }

    private func judgeArrival(_ receipt: StreamReceipt, of stream: Int, at edge: String) {
        let encoder = encoders[stream].first { $0.session == receipt.session && $0.number > 0 }
        guard let encoder, let lastAt = receipt.lastAt else {
            return judge.broken("\(edge) does not get stream \(stream)")
        }
        // A new source begins a little earlier and catches up.
        let isCatchingUp = receipt.splicedAt.map { now - $0 < Self.catchUp } ?? false
        if isCatchingUp, now - lastAt < .milliseconds(500) { return }
        let behind = encoder.number - min(receipt.lastNumber, encoder.number)
        if behind > UInt64(options.packetsPerSecond) || now - lastAt > .milliseconds(500) {
            judge.broken(
                "\(edge) gets stream \(stream) \(behind) packets late, the last \((now - lastAt).milliseconds) ms ago")
        }
    }

    // MARK: Report

    func report() -> SimulationReport {
        if judge.violationCount < 100 {
            now = end
            judge.now = now
            judgeLiveness(isLast: true)
        }
        var report = SimulationReport(options: options, digest: digest, counts: counts)
        for edge in topology.edges {
            guard let receiver = nodes[edge].receiver else { continue }
            for (stream, receipt) in receiver.receipts.enumerated() {
                report.delivered += receipt.delivered
                report.missing += receipt.missing
                report.gapMax = max(report.gapMax, receipt.gapMax)
                report.firstMax = max(report.firstMax, receipt.firstAfter ?? .zero)
                report.sourceChanges += receipt.sourceChanges
                if receipt.delivered == 0, options.scenario != .demand {
                    judge.broken("\(receiver.name) never got stream \(stream)")
                }
                note(3, receipt.delivered, receipt.missing)
            }
        }
        if let lossMax = options.scenario.lossMax, report.lossShare > lossMax {
            judge.broken("\(report.missing) of \(report.delivered + report.missing) packets lost at the edges")
        }
        report.digest = digest
        report.violationCount = judge.violationCount
        report.violations = judge.violations.map { "\(Double($0.at.nanoseconds / 1_000) / 1e6) s: \($0.text)" }
        return report
    }
}
