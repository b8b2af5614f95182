import ReflectorModel
import RelayCore

/// What must hold for every node at every step, and for the whole network at the end (design §7).
extension FaultSimulation {
    /// Maximum table sizes of a node in such a small network.
    private static var linksMax: Int { 24 }
    private static var timersMax: Int { 4_096 }
    private static var queuedMax: Int { 8_192 }
    /// Longest overlap of two paths that is allowed during make before break, including the delay of a wake-up.
    private static var overlapMax: TimeSpan { .milliseconds(2_100) }
    private static var inspectInterval: TimeSpan { .milliseconds(100) }
    /// Maximum number of timer wake-ups in one inspection interval: under load one for a flush every 0.7 ms, and during
    /// a preburst one every 2 ms for each child.
    private static var wakesMax: Int { 600 }
    private static var idleWakesMax: Int { 2 }
    /// Time within which data must stop after the last viewer has left: the grace periods of edge, set and transit set,
    /// and one second for datagrams in flight.
    private static var quietAfter: TimeSpan { .milliseconds(8_000) }

    /// Records a violation of an invariant.
    func violate(_ text: @autoclosure () -> String) { invariants.violate(text(), at: now) }

    func checkSending(_ bytes: [UInt8], to: Endpoint, from host: ObservedHost) {
        guard !host.host.isInsider else { return }
        guard !bytes.isEmpty else { return violate("\(host.node.name) sends an empty datagram") }
        if let wrong = host.ledger.noteSending(bytes, to: to) {
            violate("\(host.node.name) sends \(wrong)")
        }
        guard let (tag, sequence) = Self.packet(bytes) else { return }
        counts.dataSent += 1
        if host.host.role == .edge { violate("\(host.node.name) is an edge and sends data") }
        if host.host.role == .set, !host.held.has(tag, sequence) {
            violate("\(host.node.name) sends number \(sequence), which it never had")
        }
        // An insider that subscribes to a stream counts as a viewer.
        if !options.scenario.hasInsiders, !wanted.contains(where: { $0.contains(true) }),
            lastWanted == .zero || now - lastWanted > Self.quietAfter
        {
            violate("\(host.node.name) sends data that no viewer wants")
        }
    }

    func inspect() {
        network.schedule(.inspect, at: now + Self.inspectInterval)
        for host in hosts {
            defer { host.wakes = 0 }
            guard !host.host.isInsider, let relay = host.node.relay, now >= host.node.pausedUntil else { continue }
            let snapshot = relay.snapshot
            checkTables(snapshot, of: host)
            checkPaths(snapshot, of: host)
            checkSources(snapshot, of: host)
            let isIdle = snapshot.streams == 0 && snapshot.parentLinks == 0 && snapshot.childLinks == 0
            // The node must have been idle at the previous inspection too.
            let wakesMax = isIdle && host.wasIdle ? Self.idleWakesMax : Self.wakesMax
            host.wasIdle = isIdle
            if host.wakes > wakesMax {
                violate("\(host.node.name) wakes \(host.wakes) times in 100 ms, idle: \(isIdle)")
            }
        }
    }

    private func checkTables(_ snapshot: RelaySnapshot, of host: ObservedHost) {
        let name = host.node.name
        if snapshot.parentLinks > Self.linksMax || snapshot.childLinks > Self.linksMax {
            violate("\(name) has \(snapshot.parentLinks) and \(snapshot.childLinks) links")
        }
        let streamsMax = options.scenario.hasInsiders ? Topology.streamsMaxAmongInsiders : zone.streams.count
        if snapshot.streams > streamsMax { violate("\(name) has \(snapshot.streams) streams") }
        if snapshot.timers > Self.timersMax { violate("\(name) has \(snapshot.timers) timers") }
        if snapshot.queued > Self.queuedMax { violate("\(name) has \(snapshot.queued) packets queued") }
        let keysMax = 3 * (snapshot.parentLinks + snapshot.childLinks) + snapshot.streams
        if let keys = host.node.crypto?.keyCount, keys > keysMax { violate("\(name) holds \(keys) keys of \(keysMax)") }
        counts.gapsMax = max(counts.gapsMax, snapshot.gaps)
        counts.timersMax = max(counts.timersMax, snapshot.timers)
    }

    /// Checks that a node fetches a stream by at most three paths besides those that it is leaving, and that it leaves
    /// a path within `overlapMax`.
    private func checkPaths(_ snapshot: RelaySnapshot, of host: ObservedHost) {
        for stream in zone.streams {
            let paths = snapshot.paths.filter { $0.stream == stream.name }
            let staying = paths.count { !$0.isLeaving }
            if staying > 3 { violate("\(host.node.name) fetches \(stream.name) by \(staying) paths") }
            counts.pathsMax = max(counts.pathsMax, staying)
            guard paths.contains(where: \.isLeaving) else {
                host.leavingSince[stream.name] = nil
                continue
            }
            let since = host.leavingSince[stream.name] ?? now
            host.leavingSince[stream.name] = since
            if now - since > Self.overlapMax + Self.inspectInterval {
                violate(
                    "\(host.node.name) has been leaving a path of \(stream.name) for \((now - since).milliseconds) ms"
                )
            }
        }
    }

    // MARK: Liveness

    private static var catchUp: TimeSpan { .seconds(3) }

    /// Checks, after the faults, that every stream reaches every edge that wants it. The last check also requires that
    /// nothing was lost since the check before.
    func checkLiveness(isLast: Bool) {
        var missing: UInt64 = 0
        for edge in topology.edges {
            guard let receiver = hosts[edge].receiver else { continue }
            for (stream, receipt) in receiver.receipts.enumerated() {
                missing += receipt.missing
                guard wanted[edge][stream] else { continue }
                checkArrival(receipt, of: stream, at: receiver.name)
            }
        }
        if isLast, missing != missingWhenAlive {
            violate("\(missing - missingWhenAlive) packets lost after the network had recovered")
        }
        missingWhenAlive = missing
    }

    private func checkArrival(_ receipt: StreamReceipt, of stream: Int, at edge: String) {
        let encoder = encoders[stream].first { $0.session == receipt.session && $0.number > 0 }
        guard let encoder, let lastAt = receipt.lastAt else {
            return violate("\(edge) does not get stream \(stream)")
        }
        // A new source starts with older packets and catches up.
        let isCatchingUp = receipt.splicedAt.map { now - $0 < Self.catchUp } ?? false
        if isCatchingUp, now - lastAt < .milliseconds(500) { return }
        let behind = encoder.number - min(receipt.lastNumber, encoder.number)
        if behind > UInt64(options.packetsPerSecond) || now - lastAt > .milliseconds(500) {
            violate(
                "\(edge) gets stream \(stream) \(behind) packets late, the last \((now - lastAt).milliseconds) ms ago")
        }
    }

    // MARK: Report

    func report() -> FaultReport {
        if invariants.violationCount < Self.violationsMax {
            network.advance(to: end)
            checkLiveness(isLast: true)
        }
        var report = FaultReport(options: options, digest: digest.value, counts: counts)
        for edge in topology.edges {
            guard let receiver = hosts[edge].receiver else { continue }
            for (stream, receipt) in receiver.receipts.enumerated() {
                report.delivered += receipt.delivered
                report.missing += receipt.missing
                report.gapMax = max(report.gapMax, receipt.gapMax)
                report.firstMax = max(report.firstMax, receipt.firstAfter ?? .zero)
                report.sourceChanges += receipt.sourceChanges
                if receipt.delivered == 0, options.scenario != .demand {
                    violate("\(receiver.name) never got stream \(stream)")
                }
                digest.add(3, receipt.delivered, receipt.missing)
            }
        }
        if let lossMax = options.scenario.lossMax, report.lossShare > lossMax {
            violate("\(report.missing) of \(report.delivered + report.missing) packets lost at the edges")
        }
        report.digest = digest.value
        report.violationCount = invariants.violationCount
        report.violations = invariants.violations.map { "\(Double($0.at.nanoseconds / 1_000) / 1e6) s: \($0.text)" }
        return report
    }
}
