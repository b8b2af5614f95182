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
    /// Segments in a playlist, at least; more where they are so short that they are no three target durations.
    public var segmentsListed = 6
    /// Segments that can be fetched, those in the playlist included; at least twice those.
    public var segmentsKept = 12
    /// Most bytes of finished segments of one stream; the oldest go first. A segment is cut at a fifth of it.
    public var segmentBytesMax = 128 << 20
    /// Most bytes of finished segments of all streams. Those of streams that nobody watches go first.
    public var segmentBytesOfAllMax = 1 << 30
    /// Longest time that a viewer may take to fetch one segment; then its connection is closed.
    public var segmentTransferMax = Duration.seconds(30)
    /// How long a request waits for the first byte of a stream that is not yet there.
    public var firstByteWait = Duration.seconds(8)
    /// How long a playlist request waits for three target durations of segments.
    public var firstPlaylistWait = Duration.seconds(20)
    /// How long the playlist of a stream that is away is still given to players that follow it.
    public var playlistStaleMax = Duration.seconds(600)
    /// How long an HLS viewer counts as present after a request, at least; never less than three target durations.
    public var playlistPresence = Duration.seconds(12)
    /// A stream that nobody watches and nothing is delivered to is forgotten after this long.
    public var idleForgotten = Duration.seconds(30)
    /// Where the numbers of playlists are kept over a restart; nil for nowhere.
    public var numbersPath: String?
    /// Seconds since 1970: decides which wrap of the 33-bit time stamps it is.
    public var wallClockSeconds: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    public init() {}

    /// Into how many segments `segmentBytesMax` is divided at least: three target durations, and some more.
    static let segmentsInBytes = 5

    var windowLimits: SegmentWindow.Limits {
        SegmentWindow.Limits(
            targetSeconds: max(segmentTargetSeconds, 1), listedMin: max(segmentsListed, 1),
            keptMin: max(segmentsKept, segmentsListed), bytesMax: segmentBytesMax)
    }
}
