import NIOCore
import ReflectorModel

/// One encoder's bytes on their way to the node: aligned to TS packets, queued, paced, packed and handed over. Lives on
/// the ingest loop.
///
/// There are two reasons for the queue: a closed connection delivers, all at once, everything that the kernel held, and
/// an encoder over UDP sends a picture in one burst. The queue drains at the pace of the token bucket, and no faster
/// than the sink takes payloads. `onReadiness` tells a connection when to stop and when to resume reading, so its queue
/// holds little more than one read. Datagrams cannot be held back: `policer` and the queue's bound decide which ones
/// are dropped.
final class EncoderSession {
    /// Maximum number of bytes that are packed at a time. Small steps keep the pace smooth.
    private static let stepBytes = 16_384
    /// Maximum memory that an empty queue keeps.
    private static let idleQueueBytes = 262_144
    /// Nothing more is handed over while at least this many bytes are under way: the sink has them, but has not taken
    /// them yet.
    private static let underWayBytesMax = 131_072

    let id: IngestSession
    let origin: EncoderOrigin
    private let policy: StreamPolicy
    /// When it took the stream over from another encoder; nil if it did not.
    private let takeover: MonotonicInstant?
    private let loop: any EventLoop
    private let sink: any IngestSink
    private let configuration: IngestConfiguration
    private let counters: IngestCounters
    private let reports: IngestReports
    private var aligner: TransportAligner
    private var repeater: TableRepeater
    private var packer: any PayloadPacker
    private var bucket: TokenBucket
    /// Decides which datagrams of a UDP stream exceed the rate limit; nil for other streams.
    private var policer: TokenBucket?
    /// Whole TS packets.
    private var queue = ByteBuffer()
    private var underWayBytes = 0
    private var inputEnded = false
    /// The encoder has said that nothing more comes.
    private var isComplete = false
    private var isClosed = false
    private var pumpTimer: Scheduled<Void>?
    private var flushTimer: Scheduled<Void>?
    private var idleTimer: Scheduled<Void>?
    private var wasReady = true

    /// When the encoder last sent something; over UDP, only datagrams with MPEG-TS count.
    private(set) var lastInput: MonotonicInstant
    private var longestPause = TimeSpan.zero
    private(set) var bytesReceived = 0
    private(set) var bytesTaken = 0
    private(set) var payloadsTaken = 0
    /// Called with true when the connection may read again, with false when it must stop.
    var onReadiness: ((Bool) -> Void)?
    /// Called once after the input has ended, when the last payload has been handed over; not called after `revoke`.
    var onClose: (() -> Void)?
    /// Called to end the connection when another encoder takes over the stream, and at shut-down.
    var onRevoked: (() -> Void)?
    /// Called when too many bytes came without any MPEG-TS: the connection is useless, and the session ends.
    var onJunk: (() -> Void)?

    /// - Parameters:
    ///   - isTakeover: it replaces another encoder that still sends.
    ///   - beginning: see `TransportAligner`.
    init(
        id: IngestSession, from origin: EncoderOrigin, policy: StreamPolicy, isTakeover: Bool = false,
        loop: any EventLoop, sink: any IngestSink, configuration: IngestConfiguration, counters: IngestCounters,
        reports: IngestReports, beginning: [UInt8] = []
    ) {
        self.id = id
        self.origin = origin
        self.policy = policy
        self.loop = loop
        self.sink = sink
        self.configuration = configuration
        self.counters = counters
        self.reports = reports
        let now = loop.instant
        aligner = TransportAligner(beginning: beginning)
        takeover = isTakeover ? now : nil
        // Two entrypoints must send the same packets in the same payloads, so nothing may depend on the time.
        repeater = TableRepeater(isRepeating: policy.standby != .hot)
        packer =
            policy.standby == .hot
            ? ContentPacker(payloadBytes: configuration.payloadBytes)
            : PacketPacker(payloadBytes: configuration.payloadBytes, flushAfter: configuration.flushAfter)
        var pace = configuration.rateBitsPerSecondMax
        if origin.input == .udp {
            policer = TokenBucket(bitsPerSecond: pace, burstBytes: configuration.datagramBurstBytes, at: now)
            // A queue that drains only as fast as it fills would never get shorter.
            pace = pace.addingReportingOverflow(pace / 4).overflow ? pace : pace + pace / 4
        }
        bucket = TokenBucket(bitsPerSecond: pace, burstBytes: configuration.burstBytes, at: now)
        lastInput = now
    }

    private var queuedBytes: Int { queue.readableBytes }

    /// Memory allocated for the queue.
    var queueCapacity: Int { queue.capacity }

    /// True while the connection may read.
    var isReady: Bool { queuedBytes < Self.stepBytes && underWayBytes < Self.underWayBytesMax }

    /// True after the first MPEG-TS packet.
    var hasFoundPackets: Bool { aligner.hasFoundPackets }

    /// What `EncoderConflict` weighs.
    var claim: EncoderConflict.Current {
        let now = loop.instant
        return EncoderConflict.Current(
            origin: origin, silence: isReady ? now - lastInput : .zero, longestPause: longestPause,
            sinceTakeover: takeover.map { now - $0 })
    }

    /// Receives bytes of the stream.
    func receive(_ bytes: ByteBuffer) {
        guard !inputEnded, !isClosed, bytes.readableBytes > 0 else { return }
        let now = loop.instant
        if bytesReceived > 0 { longestPause = max(longestPause, now - lastInput) }
        lastInput = now
        bytesReceived += bytes.readableBytes
        bytes.withUnsafeReadableBytes { input in
            aligner.append(input) { enqueue($0) }
        }
        noteSkipped()
        guard aligner.skippedInRow <= configuration.junkBytesMax else { return giveUpJunk() }
        pump()
    }

    /// Receives one datagram. Its packets are handed over by the next call of `pump`, which serves many datagrams at
    /// once. Returns false if the datagram was dropped.
    @discardableResult
    func receiveDatagram(_ bytes: ByteBuffer) -> Bool {
        guard !inputEnded, !isClosed else { return false }
        let now = loop.instant
        guard queuedBytes + bytes.readableBytes <= configuration.datagramQueueBytesMax else {
            reports.note(.datagramOverload, stream: id.stream)
            return false
        }
        guard policer?.wait(at: now) ?? .zero == .zero else {
            reports.note(
                .datagramOverRate, stream: id.stream, ["limit": "\(configuration.rateBitsPerSecondMax) bit/s"])
            return false
        }
        policer?.take(bytes.readableBytes)
        let before = queuedBytes
        bytes.withUnsafeReadableBytes { input in
            aligner.appendDatagram(input) { enqueue($0) }
        }
        if queuedBytes > before { lastInput = now }
        noteSkipped()
        return true
    }

    private func enqueue(_ packets: UnsafeRawBufferPointer) {
        let isRepeatDue = repeater.pass(packets, at: lastInput) { _ = queue.writeBytes($0) }
        if isRepeatDue { reports.note(policy.standby == .hot ? .tablesMissing : .tablesRepeated, stream: id.stream) }
    }

    private func noteSkipped() {
        reports.note(.bytesOutOfSync, stream: id.stream, count: aligner.takeSkipped())
        reports.note(.rtpMissing, stream: id.stream, count: aligner.takeMissingRTP())
    }

    private func giveUpJunk() {
        reports.note(.refusedNotTransportStream, stream: id.stream)
        onJunk?()
        finish()
    }

    /// The encoder has ended the stream: queued bytes are still sent, then the session closes. Returns the first bytes
    /// of an incomplete last packet: they are dropped, unless the encoder sends the remaining bytes on another
    /// connection.
    ///
    /// - Parameter isComplete: the encoder has said that nothing more comes. Otherwise its connection may be lost, and
    ///   the other entrypoint of a hot stream may still get what is missing here.
    @discardableResult
    func finish(isComplete: Bool = false) -> [UInt8] {
        guard !inputEnded, !isClosed else { return [] }
        inputEnded = true
        self.isComplete = isComplete
        let rest = aligner.finish { enqueue($0) }
        noteSkipped()
        if !rest.isEmpty { counters.add(to: .partialPackets) }
        pump()
        return rest
    }

    /// Ends the session at once and drops the queue.
    ///
    /// - Parameter isReplaced: the stream's next session opens right after.
    func revoke(isReplaced: Bool) {
        guard !isClosed else { return }
        close(isReplaced: isReplaced)
        onRevoked?()
        forgetCallbacks()
    }

    /// Calls `drop` when the encoder has been silent for `timeout`, unless the session closes first.
    func watchIdle(_ timeout: TimeSpan, drop: @escaping () -> Void) {
        let left = isReady ? lastInput + timeout - loop.instant : timeout
        guard left > .zero else {
            reports.note(.encodersTimedOut, stream: id.stream)
            return drop()
        }
        idleTimer = loop.assumeIsolated().scheduleTask(in: left.amount) { [self] in
            if !isClosed, !inputEnded { watchIdle(timeout, drop: drop) }
        }
    }

    /// Hands over what the pace and the sink allow.
    func pump() {
        while !isClosed, underWayBytes < Self.underWayBytesMax, queuedBytes > 0 {
            let now = loop.instant
            let wait = bucket.wait(at: now)
            guard wait == .zero else {
                pumpLater(wait)
                break
            }
            let step = min(queuedBytes, Self.stepBytes)
            var batch = PayloadBatch()
            packer.limit(to: sink.payloadLimit(of: id))
            queue.readWithUnsafeReadableBytes { all in
                packer.append(UnsafeRawBufferPointer(rebasing: all[..<step]), at: now, into: &batch)
                return step
            }
            bucket.take(step)
            hand(over: batch)
        }
        tidyQueue()
        if inputEnded, queuedBytes == 0, !isClosed {
            // The last payload of a hot stream may be shorter than the other entrypoint's copy of it.
            if isComplete || policy.standby != .hot {
                var batch = PayloadBatch()
                packer.finish(into: &batch)
                hand(over: batch)
            }
            close(isReplaced: false)
            onClose?()
            forgetCallbacks()
        } else {
            armFlush()
            reportReadiness()
        }
    }

    /// Frees the memory of a long queue once it is empty. Otherwise reuses the memory in front of the queue, but only
    /// when more bytes were sent than are left, so that copying stays cheap.
    private func tidyQueue() {
        if queuedBytes == 0 {
            if queue.capacity > Self.idleQueueBytes { queue = ByteBuffer() } else { queue.clear() }
        } else if queue.readerIndex > queuedBytes {
            queue.discardReadBytes()
        }
    }

    /// Gives payloads to the sink and counts them as under way until the sink has taken or dropped them.
    private func hand(over batch: PayloadBatch) {
        guard !batch.isEmpty else { return }
        let (bytes, count) = (batch.bytes.count, batch.count)
        underWayBytes += bytes
        bytesTaken += bytes
        payloadsTaken += count
        counters.add(bytes, to: .bytes)
        counters.add(count, to: .payloads)
        let loop = loop
        let bound = NIOLoopBound(self, eventLoop: loop)
        sink.take(batch, of: id) { isTaken in
            loop.execute {
                if !isTaken { bound.value.reports.note(.payloadsRefused, stream: bound.value.id.stream, count: count) }
                bound.value.taken(bytes)
            }
        }
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
            if queuedBytes == 0 {
                var batch = PayloadBatch()
                packer.handleTimeout(at: loop.instant, into: &batch)
                hand(over: batch)
                armFlush()
            }
        }
    }

    private func reportReadiness() {
        guard isReady != wasReady else { return }
        wasReady.toggle()
        // While reading is paused, the encoder does not count as silent.
        if wasReady { lastInput = loop.instant }
        onReadiness?(wasReady)
    }

    private func close(isReplaced: Bool) {
        isClosed = true
        queue = ByteBuffer()
        pumpTimer?.cancel()
        flushTimer?.cancel()
        idleTimer?.cancel()
        sink.close(id, isReplaced: isReplaced)
        counters.add(to: .encodersEnded)
    }

    /// Breaks a retain cycle: the callbacks retain the connection, and the connection retains the session.
    private func forgetCallbacks() {
        onReadiness = nil
        onClose = nil
        onRevoked = nil
        onJunk = nil
    }
}

extension EventLoop {
    /// This loop's monotonic clock.
    var instant: MonotonicInstant { MonotonicInstant(nanoseconds: Int64(clamping: now.uptimeNanoseconds)) }
}

extension TimeSpan {
    var amount: TimeAmount { .nanoseconds(nanoseconds) }
}
