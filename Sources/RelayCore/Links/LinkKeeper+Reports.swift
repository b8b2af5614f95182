import ReflectorModel
import RelayWire

/// Handles the children's reports about their links, and answers name servers' probes with the totals. An answer proves
/// that this node's event loop runs.
extension LinkKeeper {
    /// - Parameter leads: what this node, as a witness, says about streams.
    func answer(
        _ probe: UInt64, _ leads: [ProbeReport.Lead], on link: ChildLink, at now: MonotonicInstant,
        _ core: inout NodeCore
    ) {
        guard link.certificate.powers.contains(.probe) else { return core.refusePower(.probe, to: link, at: now) }
        core.context.count(.probesAnswered)
        var report = ProbeReport(number: probe)
        report.uptimeMilliseconds = UInt64(max((now - core.clock.startedAt).milliseconds, 0))
        report.children = UInt32(clamping: core.links.children.count)
        report.streams = UInt32(clamping: core.streams.count)
        report.capacity = core.configuration.capacity
        report.bytesSent = core.context.counters[.bytesSent]
        report.received = reports.received
        report.lost = reports.lost
        report.leads = leads
        core.send(.probeReport(report), on: link, at: now)
    }

    /// A child reports what it received on its link.
    mutating func noteReport(
        _ renew: Renew, of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let last = (received: link.report.received, lost: link.report.lost)
        guard
            let disbelieved = link.report.take(
                received: renew.received, lost: renew.lost, sent: link.queues.packetsSent)
        else { return }
        core.context.count(.reportsDisbelieved, disbelieved)
        let (received, lost) = (link.report.received, link.report.lost)
        if Self.hasLost(received: received - last.received, lost: lost - min(last.lost, lost)) {
            link.size.suspect(at: now)
        }
        let hasRisen = link.breaker.note(
            expected: UInt32(truncatingIfNeeded: received &+ lost), received: UInt32(truncatingIfNeeded: received),
            at: now)
        if hasRisen, link.breaker.level(at: now) == .refusesStreams {
            core.context.post(.alarm(.childRefusedStreams(peer: link.name, link.endpoint)))
        }
        countReports(at: now, core.links)
    }

    /// Whether so many packets are missing since the last report that the path may be too small for them.
    static func hasLost(received: UInt64, lost: UInt64) -> Bool { lost >= 10 && lost > received / 4 }
}
