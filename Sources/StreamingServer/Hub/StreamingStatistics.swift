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
    public var splices: SpliceTotals
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

/// How new sources of one stream were joined to the ones before.
public struct SpliceTotals: Sendable, Equatable {
    /// Without a discontinuity: the time stamps continue. Includes `exact`.
    public private(set) var seamless: UInt64 = 0
    /// Without a missing byte: both sources carried the same.
    public private(set) var exact: UInt64 = 0
    /// With a discontinuity.
    public private(set) var discontinuous: UInt64 = 0
    /// Sources that were replaced before anything of them was sent.
    public private(set) var abandoned: UInt64 = 0
    /// How long new sources were held back, in total.
    public private(set) var held = TimeSpan.zero

    mutating func note(_ kind: SourceSplice.Kind, held: TimeSpan) {
        if kind == .discontinuity { discontinuous &+= 1 } else { seamless &+= 1 }
        if kind == .exact { exact &+= 1 }
        self.held = self.held + held
    }

    mutating func noteAbandoned() { abandoned &+= 1 }
}

/// Counters of the streaming server since its start.
public struct StreamingStatistics: Sendable, Equatable {
    /// Events by name: `requests`, `viewers_refused`, `viewers_overrun`, `waits_timed_out` and so on.
    public internal(set) var counters: [String: UInt64] = [:]
    /// The streams held now, by name.
    public internal(set) var streams: [LiveStreamTotals] = []
}
