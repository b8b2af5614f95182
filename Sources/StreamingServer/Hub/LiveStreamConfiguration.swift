import FoundationEssentials
import ReflectorModel

/// Limits and times of the streams at a hub.
public struct LiveStreamConfiguration: Sendable {
    /// Most streams held at once; a request or delivery beyond is refused and counted.
    public var streamsMax = 1_024
    /// Most progressive viewers and waiting requests at once; beyond, 503.
    public var viewersMax = 10_000
    /// Most bytes of one stream that viewers can lag behind, join in, or have under way in a segment.
    public var bufferBytesMax = 16 << 20
    /// How much of a stream is held when nothing needs more: what a slow viewer may lag behind.
    public var bufferSpan = TimeSpan.seconds(10)
    /// Length of an HLS slot in seconds. Must be the same at every edge, since segments are named by it.
    public var segmentTargetSeconds = 2
    /// Segments in a playlist.
    public var segmentsListed = 6
    /// Segments that can be fetched, those in the playlist included.
    public var segmentsKept = 12
    /// Most bytes of finished segments of one stream; the oldest go first.
    public var segmentBytesMax = 96 << 20
    /// Longest time that a viewer may take to fetch one segment; then its connection is closed.
    public var segmentTransferMax = Duration.seconds(30)
    /// How long a request waits for the first byte of a stream that is not yet there.
    public var firstByteWait = Duration.seconds(8)
    /// How long a playlist request waits for the first segment.
    public var firstSegmentWait = Duration.seconds(20)
    /// How long an HLS viewer counts as present after a request, at least; never less than three target durations.
    public var playlistPresence = Duration.seconds(12)
    /// A stream that nobody watches and nothing is delivered to is forgotten after this long.
    public var idleForgotten = Duration.seconds(30)
    /// Seconds since 1970: decides which wrap of the 33-bit time stamps it is.
    public var wallClockSeconds: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    public init() {}
}
