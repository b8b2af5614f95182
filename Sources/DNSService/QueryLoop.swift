import DNSAnswers
import DatagramIO
import Glibc
import ReflectorModel

/// Answers the datagrams of one loop. Each is read in place and answered into a reply buffer; the replies of a batch
/// are sent together.
final class QueryLoop: DatagramHandler {
    /// Settings that all loops of a server share.
    struct Settings: Sendable {
        /// Clients that may query `explain` and `_status`.
        var privileged: [CIDRBlock]
        /// Clients that the limiter does not apply to.
        var exempt: [CIDRBlock]
        /// Nil sends every reply.
        var limiter: ResponseLimiter.Configuration?
        var cookies: ServerCookies?
        /// One in this many queries is sampled; 0 samples none.
        var sampleEvery: Int
        /// Receives a sampled query; must not block.
        var sample: @Sendable (QuerySample) -> Void
    }

    /// Only this loop's thread uses it, so run-time exclusivity checks would cost time and find nothing.
    @exclusivity(unchecked) private var responder: Responder
    private let replies = ReplyBatch(countMax: 64, capacity: 64 * AnswerEngine.udpSizeMax)
    private let sockets: [DatagramSocket]
    private let settings: Settings
    private var latencies = DelayBuckets()
    /// When the current batch was received, and the number of its datagrams so far.
    private var batchStart = MonotonicInstant(nanoseconds: .min)
    private var batchCount = 0
    private var untilSample: Int
    private let requestHandler: RequestHandler

    /// - Parameter seed: random, for the limiter's table.
    init(
        engine: AnswerEngine, sockets: [DatagramSocket], settings: Settings, requestHandler: RequestHandler,
        seed: UInt64
    ) {
        responder = Responder(engine, limiter: settings.limiter, seed: seed)
        responder.cookies = settings.cookies
        responder.hasRequestHandler = true
        self.requestHandler = requestHandler
        self.sockets = sockets
        self.settings = settings
        untilSample = settings.sampleEvery
    }

    func receive(_ datagram: ReceivedDatagram, on socket: DatagramSocket, at now: MonotonicInstant) {
        // Port 0 can't be answered; sendmmsg would report this, but only after the reply has been made.
        guard datagram.source.port != 0 else { return }
        if batchCount == 0 {
            batchStart = now
            responder.instant = now
            responder.now = WallClock.seconds
        }
        batchCount &+= 1
        if !replies.hasRoom(lengthMax: AnswerEngine.udpSizeMax) { send(on: socket) }
        let source = datagram.source.address
        let isPrivileged = settings.privileged.contains { $0.contains(source) }
        let isExempt = settings.exempt.contains { $0.contains(source) }
        let isSampled = takesSample()
        replies.append(to: datagram, lengthMax: AnswerEngine.udpSizeMax) { buffer in
            let query = UnsafeRawBufferPointer(datagram.bytes)
            var length = responder.answer(
                query, from: source, over: .udp, isPrivileged: isPrivileged, isExempt: isExempt, into: buffer)
            if length < 0 {
                length = requestHandler.answer(
                    datagram: query, from: datagram.source, isPrivileged: isPrivileged, &responder, into: buffer)
                if length > 0, !isExempt, !responder.maySend(to: source) { length = 0 }
            }
            if isSampled {
                let reply = UnsafeRawBufferPointer(rebasing: buffer[..<length])
                settings.sample(QuerySample(query: query, reply: reply, source: datagram.source))
            }
            return length
        }
    }

    func batchEnded(on socket: DatagramSocket, at now: MonotonicInstant) {
        send(on: socket)
        // The clock is read once per batch. Every query is counted with the time of the whole batch: none took longer.
        latencies.note(DatagramLoop.now - batchStart, count: UInt64(batchCount))
        batchCount = 0
    }

    /// Answers from `engine`, starting with the next query.
    func replace(_ engine: AnswerEngine) {
        responder.engine = engine
        requestHandler.replace(engine)
    }

    func replace(_ cookies: ServerCookies) { responder.cookies = cookies }

    /// The loop's counters so far, including its sockets.
    var report: LoopReport {
        var result = LoopReport(
            statistics: responder.statistics, latencies: latencies, limiterEvictions: responder.limiterEvictions,
            sockets: [:])
        for socket in sockets {
            socket.readDrops()
            for (name, value) in socket.statistics.counters { result.sockets[name, default: 0] &+= value }
        }
        return result
    }

    private func takesSample() -> Bool {
        guard settings.sampleEvery > 0 else { return false }
        untilSample -= 1
        guard untilSample <= 0 else { return false }
        untilSample = settings.sampleEvery
        return true
    }

    private func send(on socket: DatagramSocket) {
        guard !replies.isEmpty else { return }
        socket.send(replies)
        replies.removeAll()
    }
}

/// The counters of one loop, or of several together.
struct LoopReport: Sendable {
    var statistics = QueryStatistics()
    var latencies = DelayBuckets()
    var limiterEvictions: UInt64 = 0
    /// Counters of the sockets by name.
    var sockets: [String: UInt64] = [:]

    static func += (a: inout LoopReport, b: LoopReport) {
        a.statistics += b.statistics
        a.latencies += b.latencies
        a.limiterEvictions &+= b.limiterEvictions
        a.sockets.merge(b.sockets) { $0 &+ $1 }
    }
}
