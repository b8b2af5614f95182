import ReflectorModel
import RelayWire

/// Answers to probes: that they come shows that this node's loop turns. They cost two MACs each and hold no state.
extension RelayNode {
    func answer(_ probe: Probe, from source: Endpoint, at now: MonotonicInstant) {
        guard isValid(probe.cookie, for: source, node: probe.node, nonce: probe.nonce, at: now) else {
            return context.count(.rejectedBadCookie)
        }
        context.count(.probesAnswered)
        var report = ProbeReport(
            keyPhase: probe.keyPhase, node: id, nonce: probe.nonce, number: probe.number)
        report.uptimeMilliseconds = UInt64(max((now - clock.startedAt).milliseconds, 0))
        report.children = UInt32(clamping: links.children.count)
        report.streams = UInt32(clamping: streams.count)
        report.capacity = configuration.capacity
        report.bytesSent = counters[.bytesSent]
        report.received = meter.reports.received
        report.lost = meter.reports.lost
        send(.probeReport(report), to: source, from: context.arrivedAt, at: now)
    }

    /// A child says what came on its link.
    func noteReport(_ renew: Renew, of link: ChildLink, at now: MonotonicInstant) {
        let last = (received: link.report.received, lost: link.report.lost)
        guard
            let disbelieved = link.report.take(
                received: renew.received, lost: renew.lost, sent: link.packetsSent)
        else { return }
        context.count(.reportsDisbelieved, disbelieved)
        let (received, lost) = (link.report.received, link.report.lost)
        if Self.hasLost(received: received - last.received, lost: lost - min(last.lost, lost)) {
            link.size.suspect(at: now)
        }
        let hasRisen = link.breaker.note(
            expected: UInt32(truncatingIfNeeded: received &+ lost),
            received: UInt32(truncatingIfNeeded: received),
            at: now)
        if hasRisen, link.breaker.level(at: now) == .refusesStreams {
            context.post(.alarm(.childRefusedStreams(peer: link.name, link.endpoint)))
        }
        meter.countReports(at: now) {
            links.children.all.map { child in
                let new = child.report.takeNew()
                return ReportTotals.Vote(
                    address: LinkShares.key(child.endpoint.address), received: new.received, lost: new.lost)
            }
        }
    }
}
