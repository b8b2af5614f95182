import DequeModule
import NIOCore
import ReflectorModel

/// The newest bytes of one stream, in immutable chunks that all its viewers share: one copy of the payload, however
/// many watch. Bytes are addressed by their offset from the first byte ever appended.
struct ChunkBuffer {
    private struct Chunk {
        var offset: UInt64
        var bytes: ByteBuffer
        /// When its last byte arrived.
        var arrival: MonotonicInstant
        var end: UInt64 { offset &+ UInt64(bytes.readableBytes) }
    }

    /// Bytes after which a chunk is closed even if no viewer waits for it.
    static let chunkBytesMax = 64 * 1024

    private var chunks: Deque<Chunk> = []
    /// Bytes that are not yet a chunk.
    private var open: ByteBuffer
    private var openArrival = MonotonicInstant.zero
    /// Offset of the oldest byte held.
    private(set) var start: UInt64 = 0
    /// Offset of the next byte to come.
    private(set) var end: UInt64 = 0

    init() { open = ByteBufferAllocator().buffer(capacity: 0) }

    var byteCount: Int { Int(end - start) }

    /// Appends the next payload.
    mutating func append(_ payload: UnsafeRawBufferPointer, at now: MonotonicInstant) {
        if open.readableBytes + payload.count > Self.chunkBytesMax { seal() }
        if open.capacity == 0 { open.reserveCapacity(Self.chunkBytesMax) }
        open.writeBytes(payload)
        openArrival = now
        end &+= UInt64(payload.count)
    }

    /// Makes a readable chunk of the open bytes.
    mutating func seal() {
        let count = open.readableBytes
        guard count > 0 else { return }
        let offset = end &- UInt64(count)
        if count > Self.chunkBytesMax / 2 {
            chunks.append(Chunk(offset: offset, bytes: open, arrival: openArrival))
            open = ByteBufferAllocator().buffer(capacity: 0)
        } else {
            // A small chunk is copied out, so that it does not keep a large buffer in memory.
            var exact = ByteBufferAllocator().buffer(capacity: count)
            exact.writeImmutableBuffer(open)
            chunks.append(Chunk(offset: offset, bytes: exact, arrival: openArrival))
            open.clear()
        }
    }

    /// Drops the oldest chunks that are older than `span` and lie before `kept`. If more than `bytesMax` bytes are
    /// held, it also drops other chunks; but it drops chunks of the open segment, which begins at `openStart`, only if
    /// more than `openBytesMax` bytes are held.
    mutating func trim(
        bytesMax: Int, span: TimeSpan, kept: UInt64, openStart: UInt64? = nil, openBytesMax: Int = 0,
        now: MonotonicInstant
    ) {
        while let first = chunks.first {
            let isStale = now - first.arrival > span && first.end <= kept
            let isOpen = openStart.map { first.end > $0 } ?? false
            guard byteCount > (isOpen ? max(bytesMax, openBytesMax) : bytesMax) || isStale else { return }
            chunks.removeFirst()
            start = first.end
        }
    }

    /// The sealed bytes of `range`; nil if some of them are no longer held. Copies no bytes.
    func slices(_ range: Range<UInt64>) -> [ByteBuffer]? {
        guard range.lowerBound >= start, range.upperBound <= end else { return nil }
        return slices(from: range.lowerBound, to: range.upperBound, countMax: .max)
    }

    /// Sealed bytes from `offset` on, at most `countMax` chunks; `offset` must not lie before `start`.
    func slices(from offset: UInt64, to limit: UInt64 = .max, countMax: Int) -> [ByteBuffer] {
        var result: [ByteBuffer] = []
        var index = indexOfChunk(holding: offset)
        while index < chunks.count, result.count < countMax {
            let chunk = chunks[index]
            guard chunk.offset < limit else { break }
            let from = Int(max(offset, chunk.offset) - chunk.offset)
            let to = Int(min(limit, chunk.end) - chunk.offset)
            if let slice = chunk.bytes.getSlice(at: chunk.bytes.readerIndex + from, length: to - from) {
                result.append(slice)
            }
            index += 1
        }
        return result
    }

    /// Index of the first chunk that ends after `offset`.
    private func indexOfChunk(holding offset: UInt64) -> Int {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if chunks[middle].end > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
