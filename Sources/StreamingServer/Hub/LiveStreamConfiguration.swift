import FoundationEssentials
import ReflectorModel

/// Limits and times of the streams at a hub.
public struct LiveStreamConfiguration: Sendable {
    /// Maximum number of streams held at once; further requests and deliveries are refused and counted.
    public var streamsMax = 1_024
    /// Maximum number of progressive viewers and waiting requests at once; further ones get 503.
    public var viewersMax = 10_000
    /// Maximum number of bytes of one stream in the buffer: for viewers that lag or join, and for the open segment.
    public var bufferBytesMax = 16 << 20
    /// How much of a stream the buffer holds if nothing needs more: a slow viewer may lag this far behind.
    public var bufferSpan = TimeSpan.seconds(10)
    /// Length of an HLS slot in seconds. Must be the same at every edge, because segment names depend on it.
    public var segmentTargetSeconds = 2
    /// Minimum number of segments in a playlist; there are more if these are together shorter than three target
    /// durations.
    public var segmentsListed = 6
    /// Minimum number of segments that can be fetched, including those in the playlist; more are kept if this is less
    /// than twice the number in the playlist.
    public var segmentsKept = 12
    /// Maximum number of bytes of finished segments of one stream; the oldest segments are evicted first. A segment is
    /// cut when it reaches a fifth of this.
    public var segmentBytesMax = 128 << 20
    /// Maximum number of bytes of finished segments of all streams. Segments of unwatched streams are evicted first.
    public var segmentBytesOfAllMax = 1 << 30
    /// Longest time for a viewer to fetch one segment; then its connection is closed.
    public var segmentTransferMax = Duration.seconds(30)
    /// How long a request waits for the first byte of a stream that is not here yet.
    public var firstByteWait = Duration.seconds(8)
    /// How long a playlist request waits for three target durations of segments.
    public var firstPlaylistWait = Duration.seconds(20)
    /// How long the playlist of an absent stream is still served to players that follow it.
    public var playlistStaleMax = Duration.seconds(600)
    /// Shortest time for which an HLS viewer counts as present after a request; if three target durations are longer,
    /// they apply instead.
    public var playlistPresence = Duration.seconds(12)
    /// A stream without viewers and without deliveries is removed after this time.
    public var idleForgotten = Duration.seconds(30)
    /// The file that keeps the numbers of playlists across a restart; nil for none.
    public var numbersPath: String?
    /// Seconds since 1970. They tell how often the 33-bit time stamps have wrapped.
    public var wallClockSeconds: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    public init() {}

    /// Minimum number of segments that fit into `segmentBytesMax`: three target durations, and some more.
    static let segmentsInBytes = 5

    var windowLimits: SegmentWindow.Limits {
        SegmentWindow.Limits(
            targetSeconds: max(segmentTargetSeconds, 1), listedMin: max(segmentsListed, 1),
            keptMin: max(segmentsKept, segmentsListed), bytesMax: segmentBytesMax)
    }
}
