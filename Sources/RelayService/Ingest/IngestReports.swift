import Logging
import NIOCore
import ReflectorModel

/// Counts dropped and refused input and logs it with a remedy: the first line at once, then at most one line every 10 s
/// for each cause and stream, with the number of events since the previous line. Lives on the ingest loop.
final class IngestReports {
    /// Shortest time between two lines about a cause.
    static let interval = TimeSpan.seconds(10)
    /// Maximum number of pairs of cause and stream at a time; beyond that, one line for a cause covers all other
    /// streams.
    static let entriesMax = 256

    private struct Key: Hashable {
        var cause: IngestCounter
        var stream: StreamName?
    }

    /// Events that are not logged yet, and the facts of the newest one.
    private struct Entry {
        var count = 0
        var metadata: Logger.Metadata = [:]
    }

    private let loop: any EventLoop
    private let counters: IngestCounters
    private let logger: Logger
    private var entries: [Key: Entry] = [:]

    init(loop: any EventLoop, counters: IngestCounters, logger: Logger) {
        self.loop = loop
        self.counters = counters
        self.logger = logger
    }

    /// Number of pairs of cause and stream that have an entry now.
    var entryCount: Int { entries.count }

    /// Counts events of a cause. If the cause has an explanation, logs them now or with the next line for this cause
    /// and stream.
    ///
    /// - Parameters:
    ///   - stream: nil if the name is unverified, because names from outside must not fill a table.
    ///   - count: how many datagrams, packets or bytes.
    ///   - facts: facts that help to find the cause, such as the sender's address.
    func note(_ cause: IngestCounter, stream: StreamName? = nil, count: Int = 1, _ facts: Logger.Metadata = [:]) {
        guard count > 0 else { return }
        counters.add(count, to: cause)
        guard cause.explanation != nil else { return }
        var key = Key(cause: cause, stream: stream)
        if entries[key] == nil, entries.count >= Self.entriesMax { key.stream = nil }
        if entries[key] != nil {
            entries[key]?.count += count
            entries[key]?.metadata = facts
            return
        }
        entries[key] = Entry()
        say(key, count: count, facts)
        sayLater(key)
    }

    private func sayLater(_ key: Key) {
        loop.assumeIsolated().scheduleTask(in: Self.interval.amount) { [weak self] in
            guard let self, let entry = self.entries[key] else { return }
            guard entry.count > 0 else {
                entries[key] = nil
                return
            }
            entries[key] = Entry()
            say(key, count: entry.count, entry.metadata)
            sayLater(key)
        }
    }

    private func say(_ key: Key, count: Int, _ facts: Logger.Metadata) {
        guard let explanation = key.cause.explanation else { return }
        var metadata = facts
        if let stream = key.stream { metadata["stream"] = "\(stream)" }
        metadata["count"] = "\(count)"
        metadata["remedy"] = "\(explanation.remedy)"
        logger.warning("\(explanation.what)", metadata: metadata)
    }
}

extension IngestCounter {
    /// What happened and what to do about it, for drops and refusals.
    var explanation: (what: String, remedy: String)? {
        switch self {
        case .refusedMethod:
            ("push refused: the method is neither PUT nor POST", "push with one of these (ffmpeg: -method PUT)")
        case .refusedMissingKey:
            (
                "push refused: no key",
                "add ?key=KEY to the URL, or send Authorization: Bearer KEY; the key file has the keys"
            )
        case .refusedWrongKey:
            ("push refused: wrong key", "compare the encoder's key with the stream's line in the key file")
        case .refusedUnknownStream:
            (
                "encoder refused: no such stream here",
                "the zone's stream line must name this entrypoint, and the key file must have a key for the stream"
            )
        case .refusedBusy:
            (
                "encoder refused: another one provides the stream",
                "stop the other; it also loses the stream once it has been silent for 3 s"
            )
        case .refusedTooManyEncoders: ("encoder refused: too many streams", "push to the stream's next entrypoint")
        case .refusedTooManyConnections:
            ("encoder's connection closed: too many from its address, or in all", "close connections that are not used")
        case .connectionsEvicted:
            (
                "connections without a key closed: there were too many",
                "find their sources, and block unknown clients at the ingest port"
            )
        case .refusedUnavailable:
            ("encoder refused: the node cannot take its stream now", "check that a name server of --server answers")
        case .refusedStandby:
            (
                "encoder refused: another entrypoint leads the stream",
                "push to ingest.STREAM of the zone, which names the leader; or let the stream line say warm or redirect"
            )
        case .refusedSource:
            ("refused: the sender is not allowed", "--allow ADDRESS or --allow PREFIX/LENGTH admits it")
        case .refusedMalformed:
            (
                "push refused: malformed request",
                "send HTTP/1.1 with one Host, the body chunked or with one Content-Length (ffmpeg: -chunked_post 1)"
            )
        case .refusedNotTransportStream:
            ("encoder refused: it does not send MPEG-TS", "send MPEG-TS (ffmpeg: -f mpegts)")
        case .headTimedOut: ("connection closed: no whole request in time", "find out what connects there")
        case .encodersTimedOut: ("encoder dropped: silent for too long", "find out why it stopped sending")
        case .datagramEmpty: ("empty datagrams ignored", "find out what sends them")
        case .datagramNotTransportStream:
            (
                "datagrams ignored: no MPEG-TS in them",
                "send MPEG-TS, plain or in RTP (ffmpeg: -f mpegts or -f rtp_mpegts)"
            )
        case .datagramOverRate:
            ("datagrams dropped: the stream is faster than --ingest-rate-max", "raise it, or lower the encoder's rate")
        case .datagramOverload:
            ("datagrams dropped: the node takes the stream too slowly", "give the entrypoint more of the processor")
        case .datagramKernelDropped:
            (
                "datagrams dropped by the kernel: its receive buffer was full",
                "raise net.core.rmem_max to 8388608 or grant CAP_NET_ADMIN; check that the machine is not overloaded"
            )
        case .rtpMissing: ("RTP packets did not arrive", "look for loss between the encoder and this entrypoint")
        case .bytesOutOfSync:
            (
                "bytes dropped: no MPEG-TS packet where one should begin",
                "send MPEG-TS and nothing else; over UDP this may be loss before the entrypoint"
            )
        case .tablesRepeated:
            (
                "PAT and PMT repeated: the encoder sends them too seldom for viewers who join later",
                "make it send them twice a second (ffmpeg: -pat_period 0.5)"
            )
        case .tablesMissing:
            (
                "PAT and PMT missing: the encoder sends them too seldom for viewers who join later",
                "make it send them twice a second (ffmpeg: -pat_period 0.5); streams with standby=hot pass unchanged"
            )
        case .payloadsRefused: ("payloads dropped: the node's loop is too far behind", "give it more of the processor")
        default: nil
        }
    }
}
