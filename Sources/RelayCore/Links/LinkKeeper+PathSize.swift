import ReflectorModel
import RelayWire

/// Measures what packet size the paths to children carry (`PathSize`), and handles what children report about the paths
/// behind them.
extension LinkKeeper {
    /// Sends size probes to a child if they are due. Returns when to call this again.
    func probeSize(
        of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> MonotonicInstant {
        guard !link.ordered.isEmpty else { return .distantFuture }
        let (probes, outcome) = link.size.step(at: now)
        for payload in probes {
            core.context.count(.sizeProbesSent)
            core.send(.sizeProbe(length: UInt16(payload + WireLimits.dataOverhead)), on: link, at: now)
        }
        switch outcome {
        case .unchanged: break
        case .tooSmall:
            core.context.post(.alarm(.pathTooSmall(peer: link.name, link.endpoint, payload: nil)))
        case .becameSmall:
            core.context.post(.alarm(.pathTooSmall(peer: link.name, link.endpoint, payload: link.size.payload)))
            updateLimits(of: link, at: now, &core)
        case .becameUsual:
            core.context.post(.alarm(.pathIsWide(peer: link.name, link.endpoint)))
            updateLimits(of: link, at: now, &core)
        }
        return link.size.nextStep
    }

    func onSizeReport(_ length: UInt16, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        link.size.received(length: Int(length), at: now)
        if link.size.nextStep <= now { core.clock.schedule(link, now + .milliseconds(1)) }
    }

    /// A child reports the payload limit of the paths behind it.
    func onPayloadLimit(
        _ bytes: Int, of subscription: UInt32, on link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        guard let subscription = link.subscriptions[subscription],
            let stream = core.streams[subscription.stream]
        else { return }
        let least = max(bytes, WireLimits.payloadOfSmallPath)
        subscription.limitPayload(
            to: least, until: now + core.configuration.lease + core.configuration.renewInterval)
        core.updateLimit(of: stream, at: now)
    }

    private func updateLimits(of link: ChildLink, at now: MonotonicInstant, _ core: inout NodeCore) {
        for subscription in link.ordered {
            if let stream = core.streams[subscription.stream] { core.updateLimit(of: stream, at: now) }
        }
    }
}
