/// A fault of an encoder's stream that viewers notice.
enum StreamFault: String, CaseIterable, Sendable {
    case noTransportStream
    case outOfSync
    case noTables
    case nothingToPlay
    case scrambled
    case noRandomAccess
    case groupsTooLong
    case videoSilent
    case timeBreak
    case tracksChange

    /// The fault, and what to do.
    var text: String {
        switch self {
        case .noTransportStream:
            "this is not MPEG-TS of 188-byte packets: it can be watched as it is, but not by HLS; send MPEG-TS"
        case .outOfSync:
            "bytes outside whole transport packets were dropped; the encoder stopped in the middle of a packet"
        case .noTables:
            "no PAT and PMT arrived, or the PAT names programs whose PMT does not arrive; let the encoder repeat both"
                + " every 100 ms"
        case .nothingToPlay: "the program's elementary streams have no time stamps; check what the encoder sends"
        case .scrambled: "packets are encrypted and cannot be cut into segments; send the stream in the clear"
        case .noRandomAccess:
            "no random access point came for 12 s, so segments begin elsewhere, and new viewers wait for a"
                + " picture; set the encoder's key frame interval to 2 s"
        case .groupsTooLong:
            "random access points are further apart than the playlist's target duration, or segments too large,"
                + " so segments were cut between them; set the encoder's key frame interval to 2 s"
        case .videoSilent: "the video sends no pictures while the sound continues, so segments are cut by the sound"
        case .timeBreak: "the time stamps jumped; the playlist is marked with a discontinuity"
        case .tracksChange: "tracks, codecs or parameters changed; the playlist is marked with a discontinuity"
        }
    }
}

/// Counts the faults of one stream, and reports each at most once in `interval`.
struct StreamFaults {
    /// A fault to log.
    struct Report: Equatable, Sendable {
        var fault: StreamFault
        /// How often it was seen since it was last logged.
        var count: UInt64
    }

    /// Shortest time between two log lines about one fault of one stream.
    static let interval = Duration.seconds(60)

    private struct Seen {
        var count: UInt64 = 0
        var logged: ContinuousClock.Instant?
    }

    /// At most one entry for each kind.
    private var seen: [StreamFault: Seen] = [:]

    mutating func note(_ fault: StreamFault) { seen[fault, default: Seen()].count &+= 1 }

    /// Faults to log now.
    mutating func due(_ now: ContinuousClock.Instant) -> [Report] {
        var reports: [Report] = []
        for fault in StreamFault.allCases {
            guard let entry = seen[fault], entry.count > 0 else { continue }
            if let logged = entry.logged, now - logged < Self.interval { continue }
            seen[fault] = Seen(count: 0, logged: now)
            reports.append(Report(fault: fault, count: entry.count))
        }
        return reports
    }
}
