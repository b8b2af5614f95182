import ReflectorModel
import RelayWire

/// What the paths to children carry, and what becomes of it: each node tells its parents the smallest, and the entrypoint
/// makes payloads of a stream no larger than that.
extension RelayNode {
    // MARK: Parent's end

    /// Sends probes of the path to a child, if it is time. Returns when it is next.
    func probeSize(of link: ChildLink, at now: MonotonicInstant) -> MonotonicInstant {
        guard !link.ordered.isEmpty else { return .distantFuture }
        let (probes, outcome) = link.size.step(at: now)
        for payload in probes {
            context.count(.sizeProbesSent)
            send(.sizeProbe(length: UInt16(payload + WireLimits.dataOverhead)), on: link, at: now)
        }
        switch outcome {
        case .unchanged: break
        case .tooSmall:
            context.post(.alarm(.pathTooSmall(peer: link.name, link.endpoint, payload: nil)))
        case .becameSmall:
            context.post(
                .alarm(.pathTooSmall(peer: link.name, link.endpoint, payload: link.size.payload)))
            noteLimits(of: link, at: now)
        case .becameUsual:
            context.post(.alarm(.pathIsWide(peer: link.name, link.endpoint)))
            noteLimits(of: link, at: now)
        }
        return link.size.nextStep
    }

    func onSizeReport(_ length: UInt16, on link: ChildLink, at now: MonotonicInstant) {
        link.size.received(length: Int(length), at: now)
        if link.size.nextStep <= now { clock.schedule(link, now + .milliseconds(1)) }
    }

    /// Whether a report shows so many packets missing more than the last one that the path may be too small for them.
    static func hasLost(received: UInt64, lost: UInt64) -> Bool { lost >= 10 && lost > received / 4 }

    /// A child says what those behind it can take.
    func onPayloadLimit(
        _ bytes: Int, of subscription: UInt32, on link: ChildLink, at now: MonotonicInstant
    ) {
        guard let subscription = link.subscriptions[subscription],
            let stream = streams[subscription.stream]
        else {
            return
        }
        let least = max(bytes, WireLimits.payloadOfSmallPath)
        subscription.payloadLimit = (least, now + configuration.lease + configuration.renewInterval)
        noteLimit(of: stream, at: now)
    }

    private func noteLimits(of link: ChildLink, at now: MonotonicInstant) {
        for subscription in link.ordered {
            if let stream = streams[subscription.stream] { noteLimit(of: stream, at: now) }
        }
    }

    // MARK: The stream's smallest path

    /// Takes over what the children's paths carry now: at an entrypoint payloads change, elsewhere the parents are told.
    func noteLimit(of stream: StreamState, at now: MonotonicInstant) {
        var limit = WireLimits.payloadUsual
        for child in stream.children {
            if let payload = child.link.size.payload { limit = min(limit, payload) }
            if let told = child.payloadLimit, told.until > now { limit = min(limit, told.bytes) }
        }
        guard limit != stream.payloadLimit else { return }
        let isLower = limit < stream.payloadLimit
        if stream.origin != nil {
            // A child that comes and goes must not make the payload change to and fro.
            if isLower { stream.limitedAt = now }
            guard isLower || now - stream.limitedAt >= Self.limitSpan else { return }
            stream.payloadLimit = limit
            context.post(.limitPayload(stream.name, bytes: limit))
            context.post(
                .alarm(
                    isLower
                        ? .payloadLowered(stream.name, bytes: limit) : .payloadRaised(stream.name, bytes: limit)
                )
            )
        } else {
            stream.payloadLimit = limit
            guard isLower else { return }
            streams.noteLimit()
            for path in stream.paths.all { sendLimit(of: stream, on: path, at: now) }
        }
    }

    /// Payloads are not raised sooner than this after they were lowered.
    private static var limitSpan: TimeSpan { .seconds(60) }

    // MARK: Child's end

    /// Tells a parent again of the streams that are limited behind this node: a message may be lost, and a limit lapses.
    func sendLimits(on link: ParentLink, at now: MonotonicInstant) {
        guard streams.hasLimits else { return }
        // Sorted, because a dictionary's order differs between processes.
        for slot in link.subscriptions.values.sorted() {
            guard let stream = streams[slot], let path = stream.paths.path(on: link) else { continue }
            noteLimit(of: stream, at: now)
            sendLimit(of: stream, on: path, at: now)
        }
    }

    private func sendLimit(of stream: StreamState, on path: StreamPath, at now: MonotonicInstant) {
        guard stream.payloadLimit < WireLimits.payloadUsual else { return }
        let bytes = UInt16(clamping: stream.payloadLimit)
        send(.payloadLimit(subscription: path.subscription, bytes: bytes), on: path.link, at: now)
    }

    // MARK: Entrypoint

    /// Most bytes of a payload that all paths of a stream carry; nil if that is as many as usual.
    public func payloadLimit(of name: StreamName) -> Int? {
        guard let stream = streams[name] else { return nil }
        return stream.payloadLimit < WireLimits.payloadUsual ? stream.payloadLimit : nil
    }
}
