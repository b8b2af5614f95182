/// The chunks that wait for one of several destinations. While its connection follows the stream, the backlog holds
/// all chunks that were not sent yet; without a connection, only the newest one, where the next connection begins.
struct ChunkBacklog {
    struct Chunk: Sendable {
        /// As sent, with its length in front.
        let framed: [UInt8]
        /// Bytes of the stream in it.
        let byteCount: Int

        init(_ bytes: ArraySlice<UInt8>) {
            framed = HTTPPush.chunk(bytes)
            byteCount = bytes.count
        }
    }

    enum Next {
        case chunk(Chunk)
        /// Everything was sent so far.
        case nothing
        /// The connection fell behind, so what it was to send is dropped.
        case behind
        /// Everything was sent. If not whole, the command that makes the stream failed.
        case end(isWhole: Bool)
    }

    static let bytesMax = 4 << 20

    private let bytesMax: Int
    private var chunks: [Chunk] = []
    /// Index of the oldest chunk that was not taken.
    private var first = 0
    private var byteCount = 0
    /// Bytes of the chunk taken last, as long as it is not known to be sent.
    private var sending = 0
    private var isFollowing = true
    private var isWhole: Bool?
    /// Bytes of the stream dropped since `takeDropped`.
    private var dropped = 0

    init(bytesMax: Int = Self.bytesMax) {
        self.bytesMax = bytesMax
    }

    /// True if the connection fell behind, or there is none.
    var isBehind: Bool { !isFollowing }
    var hasEnded: Bool { isWhole != nil }

    mutating func append(_ chunk: Chunk) {
        if byteCount + chunk.byteCount > bytesMax { isFollowing = false }
        chunks.append(chunk)
        byteCount += chunk.byteCount
        if !isFollowing { dropAllButNewest() }
    }

    /// The source has ended.
    mutating func end(isWhole: Bool) { self.isWhole = isWhole }

    /// The next chunk for the connection. Asking for it says that the one before was sent.
    mutating func next() -> Next {
        guard isFollowing else { return .behind }
        sending = 0
        guard first < chunks.count else { return isWhole.map { .end(isWhole: $0) } ?? .nothing }
        let chunk = chunks[first]
        first += 1
        byteCount -= chunk.byteCount
        sending = chunk.byteCount
        // Moving the rest to the front only once it is the smaller half costs one move a chunk.
        if first * 2 >= chunks.count {
            chunks.removeFirst(first)
            first = 0
        }
        return .chunk(chunk)
    }

    /// A new connection follows the stream, beginning with the newest chunk.
    mutating func connected() { isFollowing = true }

    /// The connection has ended. The chunk that it was sending is not sent again, because the destination may have a
    /// part of it.
    mutating func disconnected() {
        isFollowing = false
        dropped += sending
        sending = 0
        dropAllButNewest()
    }

    mutating func takeDropped() -> Int {
        defer { dropped = 0 }
        return dropped
    }

    private mutating func dropAllButNewest() {
        guard let newest = chunks.last, first < chunks.count else { return }
        dropped += byteCount - newest.byteCount
        chunks = [newest]
        first = 0
        byteCount = newest.byteCount
    }
}
