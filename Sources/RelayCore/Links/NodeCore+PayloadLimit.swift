import ReflectorModel
import RelayWire

/// The payload limit of a stream over all paths behind this node: each node reports the lowest limit to its parents,
/// and the entrypoint sends no larger payloads.
extension NodeCore {
    /// Applies the current limits of the children's paths: an entrypoint changes its payload size; any other node tells
    /// its parents at once if the limit is lower than before.
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

    /// Repeats the payload limits to a parent: a message may be lost, and a limit expires.
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
