import ReflectorModel
import RelayWire

/// Routes what concerns hot streams.
extension RelayNode {
    /// Merges a packet of a hot stream into the stream.
    func mergeIn(_ arrival: borrowing Receiver.Arrival, _ hot: HotStream, at now: MonotonicInstant) {
        switch receiver.merge(arrival, hot, at: now, &core) {
        case .own: take(arrival, at: now)
        case .standsFor(let number):
            if let packet = receiver.translate(arrival, to: number, core) { take(packet, at: now) }
        case .nothing: break
        }
    }

    /// A parent sends another incarnation of a hot stream, which is to be merged.
    func beginTwin(
        _ tag: IncarnationTag, _ reply: SubscribeReply, on path: StreamPath, of stream: StreamState,
        at now: MonotonicInstant
    ) {
        guard let key = receiver.key(in: reply, of: tag, on: path.link, core) else {
            core.context.count(.streamKeysRejected)
            path.noteAnswer(nextTry: now + .seconds(1))
            return core.clock.schedule(stream, path.nextTry)
        }
        if let twin = path.twin, twin.tag == tag, core.crypto.areEqual(twin.key, key) {
            return core.crypto.release(key)
        }
        core.beginTwin(tag, key: key, on: path, of: stream, at: now)
    }

    /// Another incarnation has become the stream's own one. The feeds of the other paths become its twins; for one whose
    /// key is gone, the parent must be asked again.
    func restartTwins(of stream: StreamState, at now: MonotonicInstant) {
        guard let incarnation = stream.incarnation else { return }
        for path in stream.paths.all where path.twin?.tag == incarnation.tag { core.endTwin(on: path, of: stream) }
        receiver.forgetTwins(of: stream, at: now)
        for path in stream.paths.all where path.tag != nil && path.tag != incarnation.tag && path.twin == nil {
            if path.state == .live { path.becomeJoining() }
            fetcher.subscribe(path, of: stream, at: now, &core)
        }
    }
}
