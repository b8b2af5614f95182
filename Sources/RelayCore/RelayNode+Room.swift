import DequeModule
import ReflectorModel
import RelayWire

/// A stream that carried nothing when it was made. Its slot may have another since.
struct UnprovenStream {
    var slot: Int
    var number: UInt64
}

/// Room for streams. Viewers and children choose the names, so a full table gives up what carries nothing, the oldest
/// first, and never what carries data.
extension RelayNode {
    /// The stream of that name, made now if there is none. Nil if the table is full of streams that carry data.
    func stream(named name: StreamName, at now: MonotonicInstant) -> StreamState? {
        if let slot = streamByName[name] { return streams[slot] }
        guard streams.count < configuration.streamsMax || evictStream(at: now) else {
            counters.add(.droppedStreamTableFull)
            return nil
        }
        let stream = streams.insert { StreamState(slot: $0, name: name) }
        streamByName[name] = stream.slot
        noteUnproven(stream)
        return stream
    }

    /// Whether a child may bring up a stream that this node does not have.
    func mayBringUp(newName link: ChildLink, at now: MonotonicInstant) -> Bool {
        var allowance =
            link.newNames
            ?? NameAllowance(burst: configuration.newNamesBurst, perSecond: configuration.newNamesPerSecond, at: now)
        defer { link.newNames = allowance }
        return allowance.take(at: now)
    }

    /// Viewers are told, and whoever looks at the status for a while.
    func tellUnavailable(_ name: StreamName, _ reason: UnavailableReason, at now: MonotonicInstant) {
        unavailable.removeAll { $0.name == name }
        if unavailable.count >= Self.unavailableMax { unavailable.removeFirst() }
        unavailable.append((name, reason, now))
        post(.unavailable(name, reason))
    }

    private static var unavailableMax: Int { 16 }

    /// Forgets a stream of which nothing has come: nobody is told but children that wait for it.
    func discard(_ stream: StreamState, at now: MonotonicInstant) {
        for path in stream.paths { removePath(path, of: stream, at: now) }
        for child in stream.children {
            _ = child.link.remove(child.id)
            let reply = SubscribeReply(subscription: child.id, status: .busy, retryAfterMilliseconds: 1_000)
            counters.add(.subscribesRefusedBusy)
            send(.subscribeReply(reply), on: child.link, at: now)
        }
        stream.removeChildren { _ in true }
        streamByName[stream.name] = nil
        streams.remove(stream.slot)
    }

    private func noteUnproven(_ stream: StreamState) {
        streamsMade &+= 1
        stream.number = streamsMade
        // What has proved itself since, or has gone, is left out when the list gets long.
        if unproven.count >= 2 * configuration.streamsMax {
            unproven = Deque(unproven.filter { unprovenStream($0) != nil })
        }
        unproven.append(UnprovenStream(slot: stream.slot, number: stream.number))
    }

    private func unprovenStream(_ one: UnprovenStream) -> StreamState? {
        guard let stream = streams[one.slot], stream.number == one.number, stream.incarnation == nil,
            stream.origin == nil
        else { return nil }
        return stream
    }

    /// Gives up the oldest stream that carries nothing. False if there is none.
    private func evictStream(at now: MonotonicInstant) -> Bool {
        while let first = unproven.popFirst() {
            guard let oldest = unprovenStream(first) else { continue }
            counters.add(.streamsEvicted)
            if roomAlarms.isDue(at: now) { post(.alarm(.streamsFull)) }
            if oldest.isWanted { tellUnavailable(oldest.name, .tableFull, at: now) }
            discard(oldest, at: now)
            return true
        }
        return false
    }
}
