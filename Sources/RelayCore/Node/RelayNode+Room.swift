import ReflectorModel
import RelayWire

/// Room for streams. Viewers and children choose the names, so a full table gives up what carries nothing, the oldest
/// first, and never what carries data.
extension RelayNode {
    /// The stream of that name, made now if there is none. Nil if the table is full of streams that carry data.
    func stream(named name: StreamName, at now: MonotonicInstant) -> StreamState? {
        if let stream = streams[name] { return stream }
        guard streams.count < configuration.streamsMax || evictStream(at: now) else {
            context.count(.droppedStreamTableFull)
            return nil
        }
        return streams.insert(name, countMax: configuration.streamsMax)
    }

    /// Whether a child may bring up a stream that this node does not have.
    func mayBringUp(newName link: ChildLink, at now: MonotonicInstant) -> Bool {
        var allowance =
            link.newNames
            ?? NameAllowance(
                burst: configuration.newNamesBurst, perSecond: configuration.newNamesPerSecond, at: now)
        defer { link.newNames = allowance }
        return allowance.take(at: now)
    }

    /// Forgets a stream of which nothing has come. Only children that wait for it get an answer.
    func discard(_ stream: StreamState, at now: MonotonicInstant) {
        for path in stream.paths.all { removePath(path, of: stream, at: now) }
        let children = stream.children
        stream.removeChildren { _ in true }
        for child in children {
            if let grant = child.admitted { admission.takeBack(grant) }
            _ = child.link.remove(child.id)
            let reply = SubscribeReply(
                subscription: child.id, status: .busy, retryAfterMilliseconds: 1_000)
            context.count(.subscribesRefusedBusy)
            send(.subscribeReply(reply), on: child.link, at: now)
        }
        streams.remove(stream)
    }

    /// Gives up the oldest stream that carries nothing. False if there is none.
    private func evictStream(at now: MonotonicInstant) -> Bool {
        guard let oldest = streams.takeUnproven() else { return false }
        context.count(.streamsEvicted)
        context.alarm(.room, .streamsFull, at: now)
        if oldest.isWanted { core.reportUnavailable(oldest.name, .tableFull, at: now) }
        discard(oldest, at: now)
        return true
    }
}
