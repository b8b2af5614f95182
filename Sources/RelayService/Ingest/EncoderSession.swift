import NIOCore
import ReflectorModel

/// One encoder's bytes on their way to the node: queued, paced, packed, handed over. Lives on the ingest loop.
///
/// Bytes are queued because a closed connection delivers at once all that the kernel held of it; the queue leaves at
/// the pace of the token bucket, and no faster than the sink takes payloads. `onReadiness` tells the connection when
/// to stop reading and when to go on, so the queue holds little more than one read.
final class EncoderSession {
    /// Bytes packed at a time: a tick's worth of packets, so that pacing is smooth.
    private static let stepBytes = 16_384
    /// Pieces below this are copied together while they wait.
    private static let smallBytesMax = 4_096
    /// Bytes that may be with the sink, not yet taken.
    private static let underWayBytesMax = 131_072

    let id: IngestSession
    private let loop: any EventLoop
    private let sink: any IngestSink
    private let counters: IngestCounters
    private var packer: PacketPacker
    private var bucket: TokenBucket
    private var queue = CircularBuffer<ByteBuffer>()
    private var queuedBytes = 0
    private var underWayBytes = 0
    private var inputEnded = false
    private var isClosed = false
    private var pumpTimer: Scheduled<Void>?
    private var flushTimer: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    private var wasReady = true

    /// When the encoder last sent something.
    private(set) var lastInput: MonotonicInstant
    private(set) var bytesTaken = 0
    private(set) var payloadsTaken = 0
    /// Called when the connection may read again (true) or must not (false).
    var onReadiness: ((Bool) -> Void)?
    /// Called once, when the last payload has been handed over or the stream was given up.
    var onClose: (() -> Void)?
    /// Called when the stream was given up to another encoder, to end the connection.
    var onRevoked: (() -> Void)?

    init(
        id: IngestSession, loop: any EventLoop, sink: any IngestSink, configuration: IngestConfiguration,
        counters: IngestCounters
    ) {
        self.id = id
        self.loop = loop
        self.sink = sink
        self.counters = counters
        let now = loop.instant
        packer = PacketPacker(payloadBytes: configuration.payloadBytes, flushAfter: configuration.flushAfter)
        bucket = TokenBucket(
            bitsPerSecond: configuration.rateBitsPerSecondMax, burstBytes: configuration.burstBytes, at: now)
        lastInput = now
    }

    /// Pieces of memory that wait.
    var queuedPieces: Int { queue.count }

    /// True while the connection may read.
    var isReady: Bool { queuedBytes < Self.stepBytes && underWayBytes < Self.underWayBytesMax }

    /// Takes bytes of the stream.
    func receive(_ bytes: ByteBuffer) {
        guard !inputEnded, !isClosed, bytes.readableBytes > 0 else { return }
        lastInput = loop.instant
        // A small piece may hold a whole read's memory: while such pieces wait, they are put together.
        if !queue.isEmpty, bytes.readableBytes < Self.smallBytesMax {
            queue[queue.index(before: queue.endIndex)].writeImmutableBuffer(bytes)
        } else {
            queue.append(bytes)
        }
        queuedBytes += bytes.readableBytes
        pump()
    }

    /// Takes one datagram as one payload. False if it had to be dropped.
    func receiveDatagram(_ bytes: ByteBuffer, into batch: inout PayloadBatch) -> Bool {
        guard !isClosed else { return false }
        let now = loop.instant
        lastInput = now
        guard underWayBytes < Self.underWayBytesMax else {
            counters.add(to: .datagramOverload)
            return false
        }
        guard bucket.wait(at: now) == .zero else {
            counters.add(to: .datagramOverRate)
            return false
        }
        bucket.take(bytes.readableBytes)
        bytes.withUnsafeReadableBytes { batch.append($0) }
        batch.endPayload()
        return true
    }

    /// The encoder has ended the stream: what is queued still goes out, then the session closes.
    func finish() {
        guard !inputEnded, !isClosed else { return }
        inputEnded = true
        pump()
    }

    /// Ends the session at once, without what is queued.
    func revoke() {
        guard !isClosed else { return }
        close()
        onRevoked?()
        forgetCallbacks()
    }

    /// Calls `drop` once the encoder has been silent for `timeout`, unless the session closes before.
    func watchIdle(_ timeout: TimeSpan, drop: @escaping () -> Void) {
        let left = isReady ? lastInput + timeout - loop.instant : timeout
        guard left > .zero else {
            counters.add(to: .encodersTimedOut)
            return drop()
        }
        idleTimer = loop.assumeIsolated().scheduleTask(in: left.amount) { [self] in
            if !isClosed, !inputEnded { watchIdle(timeout, drop: drop) }
        }
    }

    private func pump() {
        while !isClosed, underWayBytes < Self.underWayBytesMax, var part = queue.first {
            let now = loop.instant
            let wait = bucket.wait(at: now)
            guard wait == .zero else {
                pumpLater(wait)
                break
            }
            let step = min(part.readableBytes, Self.stepBytes)
            var batch = PayloadBatch()
            packer.limit(to: sink.payloadLimit(of: id))
            part.readWithUnsafeReadableBytes { all in
                packer.append(UnsafeRawBufferPointer(rebasing: all[..<step]), at: now, into: &batch)
                return step
            }
            bucket.take(step)
            queuedBytes -= step
            if part.readableBytes == 0 { queue.removeFirst() } else { queue[queue.startIndex] = part }
            hand(over: batch)
        }
        if inputEnded, queue.isEmpty, !isClosed {
            var batch = PayloadBatch()
            packer.finish(into: &batch)
            hand(over: batch)
            close()
            onClose?()
            forgetCallbacks()
        } else {
            armFlush()
            tellReadiness()
        }
    }

    /// Gives payloads to the sink and counts them as under way until it has taken them.
    func hand(over batch: PayloadBatch) {
        guard !batch.isEmpty else { return }
        let bytes = batch.bytes.count
        underWayBytes += bytes
        bytesTaken += bytes
        payloadsTaken += batch.count
        counters.add(bytes, to: .bytes)
        counters.add(batch.count, to: .payloads)
        let loop = loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        sink.take(batch, of: id) { loop.execute { bound.value.taken(bytes) } }
    }

    private func taken(_ bytes: Int) {
        underWayBytes -= bytes
        guard !isClosed else { return }
        pump()
    }

    private func pumpLater(_ wait: TimeSpan) {
        guard pumpTimer == nil else { return }
        counters.add(to: .throttled)
        pumpTimer = loop.assumeIsolated().scheduleTask(in: wait.amount) { [self] in
            pumpTimer = nil
            pump()
        }
    }

    private func armFlush() {
        guard flushTimer == nil, let due = packer.nextTimeout else { return }
        let wait = due - loop.instant
        flushTimer = loop.assumeIsolated().scheduleTask(in: max(wait, .zero).amount) { [self] in
            flushTimer = nil
            guard !isClosed else { return }
            // While the queue waits for the rate limit, more input follows and fills the payload.
            if queue.isEmpty {
                var batch = PayloadBatch()
                packer.handleTimeout(at: loop.instant, into: &batch)
                hand(over: batch)
                armFlush()
            }
        }
    }

    private func tellReadiness() {
        guard isReady != wasReady else { return }
        wasReady.toggle()
        // Time in which we did not read is not the encoder's silence.
        if wasReady { lastInput = loop.instant }
        onReadiness?(wasReady)
    }

    private func close() {
        isClosed = true
        queue.removeAll()
        queuedBytes = 0
        pumpTimer?.cancel()
        flushTimer?.cancel()
        idleTimer?.cancel()
        sink.close(id)
        counters.add(to: .encodersEnded)
    }

    /// The callbacks hold the connection; it holds us.
    private func forgetCallbacks() {
        onReadiness = nil
        onClose = nil
        onRevoked = nil
    }
}

extension EventLoop {
    /// This loop's monotonic clock.
    var instant: MonotonicInstant { MonotonicInstant(nanoseconds: Int64(clamping: now.uptimeNanoseconds)) }
}

extension TimeSpan {
    var amount: TimeAmount { .nanoseconds(nanoseconds) }
}
