import ReflectorModel
import RelayWire

/// What all paths behind this node carry of a stream: each node tells its parents the smallest, and the entrypoint makes
/// payloads of a stream no larger than that.
extension NodeCore {
    /// Takes over what the children's paths carry now: at an entrypoint payloads change, elsewhere the parents are told.
    mutating func updateLimit(of stream: StreamState, at now: MonotonicInstant) {
        var limit = WireLimits.payloadUsual
        for child in stream.children {
            if let payload = child.link.size.payload { limit = min(limit, payload) }
            if let payload = child.payloadLimit(at: now) { limit = min(limit, payload) }
        }
        guard limit != stream.payloadLimit.bytes else { return }
        let isLower = limit < stream.payloadLimit.bytes
        if stream.origin != nil {
            guard stream.payloadLimit.followSlowly(limit, at: now) else { return }
            context.post(.limitPayload(stream.name, bytes: limit))
            context.post(
                .alarm(
                    isLower ? .payloadLowered(stream.name, bytes: limit) : .payloadRaised(stream.name, bytes: limit)))
        } else {
            stream.payloadLimit.follow(limit)
            guard isLower else { return }
            streams.noteLimit()
            for path in stream.paths.all { sendLimit(of: stream, on: path, at: now) }
        }
    }

    /// Tells a parent again of the streams that are limited behind this node: a message may be lost, and a limit lapses.
    mutating func sendLimits(on link: ParentLink, at now: MonotonicInstant) {
        guard streams.hasLimits else { return }
        // Sorted, because a dictionary's order differs between processes.
        for slot in link.subscriptions.values.sorted() {
            guard let stream = streams[slot], let path = stream.paths.path(on: link) else { continue }
            updateLimit(of: stream, at: now)
            sendLimit(of: stream, on: path, at: now)
        }
    }

    private mutating func sendLimit(of stream: StreamState, on path: StreamPath, at now: MonotonicInstant) {
        guard !stream.payloadLimit.isUsual else { return }
        let bytes = UInt16(clamping: stream.payloadLimit.bytes)
        send(.payloadLimit(subscription: path.subscription, bytes: bytes), on: path.link, at: now)
    }
}
