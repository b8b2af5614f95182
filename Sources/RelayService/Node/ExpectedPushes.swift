import ReflectorModel

/// Streams that encoders want to push here although another entrypoint may lead them. They are announced, so that the
/// witnesses report who does.
struct ExpectedPushes {
    /// Maximum number of streams; beyond that, the one expected longest is forgotten.
    static let countMax = 256

    /// Oldest first.
    private var streams: [StreamName] = []
    /// Streams forgotten to make room.
    private(set) var forgotten: UInt64 = 0

    /// Adds a stream that is not in the table. Returns the one that was forgotten to make room.
    mutating func add(_ stream: StreamName) -> StreamName? {
        streams.append(stream)
        guard streams.count > Self.countMax else { return nil }
        forgotten += 1
        return streams.removeFirst()
    }
}
