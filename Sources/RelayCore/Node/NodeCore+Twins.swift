import ReflectorModel
import RelayWire

/// The beginning and the end of twin feeds: the tag by which their packets find the stream, and their keys.
extension NodeCore {
    /// Packets with this tag on the path belong to a twin of the stream from now on.
    mutating func beginTwin(
        _ tag: IncarnationTag, key: SealKey, on path: StreamPath, of stream: StreamState, at now: MonotonicInstant
    ) {
        endTwin(on: path, of: stream)
        path.begin(TwinFeed(tag: tag, key: key, at: now))
        path.unmerge(isMismatch: false, at: now)
        streams.bind(tag, to: stream)
    }

    /// Ends the path's twin, if it has one: call this before the path leaves its stream.
    mutating func endTwin(on path: StreamPath, of stream: StreamState) {
        guard let twin = path.endTwin() else { return }
        crypto.release(twin.key)
        stream.hot?.payloads.rename(path.bit, to: HotStream.gone)
        let isUsed = stream.incarnation?.tag == twin.tag || stream.paths.all.contains { $0.twin?.tag == twin.tag }
        if !isUsed { streams.unbind(twin.tag) }
    }
}
