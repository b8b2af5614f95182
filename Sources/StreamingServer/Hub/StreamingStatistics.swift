import ReflectorModel

/// What one stream at the hub has come to.
public struct LiveStreamTotals: Sendable, Equatable {
    public var name: StreamName
    /// Payloads delivered, and their bytes.
    public var packets: UInt64
    public var bytes: UInt64
    /// Segments given up because the stream's buffer could not hold them.
    public var segmentsDropped: UInt64
    /// Segments given up to make room for those of other streams.
    public var segmentsEvicted: UInt64
    /// Bytes left out because they were part of no whole transport packet.
    public var bytesSkipped: UInt64
    /// Viewers disconnected because they lagged further behind than the buffer reaches.
    public var viewersOverrun: UInt64
    /// Segments that can be fetched.
    public var segments: Int
    /// Their bytes.
    public var segmentBytes: Int
    public var progressiveViewers: Int
    /// An HLS viewer has asked lately.
    public var isPlaylistWatched: Bool
    /// The node was asked for the stream.
    public var isWanted: Bool
}

/// What the streaming server has counted since its start.
public struct StreamingStatistics: Sendable, Equatable {
    /// Times from a viewer's request to its first byte, in milliseconds.
    public struct FirstByte: Sendable, Equatable {
        /// Most recent values that the median is taken of.
        public static let recentMax = 256

        public private(set) var count: UInt64 = 0
        public private(set) var lastMilliseconds: Double?
        private var recent: [Double] = []

        /// Median of the most recent values.
        public var medianMilliseconds: Double? {
            guard !recent.isEmpty else { return nil }
            let sorted = recent.sorted()
            return sorted[sorted.count / 2]
        }

        mutating func add(_ milliseconds: Double) {
            if recent.count < Self.recentMax {
                recent.append(milliseconds)
            } else {
                recent[Int(count % UInt64(Self.recentMax))] = milliseconds
            }
            count += 1
            lastMilliseconds = milliseconds
        }
    }

    /// Events by name: `requests`, `viewers_refused`, `viewers_overrun`, `waits_timed_out` and so on.
    public internal(set) var counters: [String: UInt64] = [:]
    /// Viewers that found the stream not yet there.
    public internal(set) var cold = FirstByte()
    /// Viewers that found it there.
    public internal(set) var warm = FirstByte()
    /// The streams held now, by name.
    public internal(set) var streams: [LiveStreamTotals] = []

    /// All of it as plain numbers under `viewer_…` and `stream_…` names; times in whole milliseconds.
    public var flattened: [String: UInt64] {
        var all = counters
        for (name, times) in [("cold", cold), ("warm", warm)] {
            all["first_byte_\(name)"] = times.count
            if let last = times.lastMilliseconds { all["first_byte_\(name)_ms_last"] = UInt64(last) }
            if let median = times.medianMilliseconds { all["first_byte_\(name)_ms_median"] = UInt64(median) }
        }
        all["streams"] = UInt64(streams.count)
        all["viewers"] = streams.reduce(0) { $0 + UInt64($1.progressiveViewers) }
        return all
    }
}
