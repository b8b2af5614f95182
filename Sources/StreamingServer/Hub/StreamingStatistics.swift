import ReflectorModel

/// Counters of one stream at the hub.
public struct LiveStreamTotals: Sendable, Equatable {
    public var name: StreamName
    /// Payloads delivered, and their bytes.
    public var packets: UInt64
    public var bytes: UInt64
    /// Segments dropped because the stream's buffer could not hold them.
    public var segmentsDropped: UInt64
    /// Segments evicted to make room for those of other streams.
    public var segmentsEvicted: UInt64
    /// Bytes dropped because they belong to no whole transport packet.
    public var bytesSkipped: UInt64
    /// Viewers disconnected because they lagged further behind than the buffer reaches.
    public var viewersOverrun: UInt64
    /// Segments that can be fetched.
    public var segments: Int
    /// Bytes of these segments.
    public var segmentBytes: Int
    public var progressiveViewers: Int
    /// There was a recent HLS request.
    public var isPlaylistWatched: Bool
    /// The node has been asked for the stream.
    public var isWanted: Bool
}

/// Counters of the streaming server since its start.
public struct StreamingStatistics: Sendable, Equatable {
    /// Events by name: `requests`, `viewers_refused`, `viewers_overrun`, `waits_timed_out` and so on.
    public internal(set) var counters: [String: UInt64] = [:]
    /// The streams held now, by name.
    public internal(set) var streams: [LiveStreamTotals] = []
}
