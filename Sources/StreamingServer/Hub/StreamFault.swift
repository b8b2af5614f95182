/// What is wrong with an encoder's stream, as far as viewers come to feel it.
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

    /// What is wrong, and what to do.
    var text: String {
        switch self {
        case .noTransportStream:
            "this is no MPEG-TS of 188-byte packets: it can be watched as it is, but not by HLS; send MPEG-TS"
        case .outOfSync:
            "bytes that are part of no whole transport packet were left out; the encoder broke off in a packet"
        case .noTables:
            "no PAT and PMT have come, or the PAT names programs whose PMT does not come; let the encoder repeat both"
                + " every 100 ms"
        case .nothingToPlay: "the program's elementary streams bring no time stamps; check what the encoder sends"
        case .scrambled: "packets are encrypted and cannot be cut into segments; send the stream in the clear"
        case .noRandomAccess:
            "no random access point came for 12 s, so segments begin where there is none, and new viewers wait for a"
                + " picture; set the encoder's key frame interval to 2 s"
        case .groupsTooLong:
            "random access points are further apart than the playlist's target duration, or segments are too large,"
                + " so they were cut between; set the encoder's key frame interval to 2 s"
        case .videoSilent: "the video sends no pictures while sound goes on, so segments are cut by the sound"
        case .timeBreak: "the time stamps jumped; the playlist is marked with a discontinuity"
        case .tracksChange: "tracks, codecs or parameters changed; the playlist is marked with a discontinuity"
        }
    }
}

/// Counts the faults of one stream, and tells each at most once in a while.
struct StreamFaults {
    /// A fault that is to be logged.
    struct Report: Equatable, Sendable {
        var fault: StreamFault
        /// How often it was seen since it was last logged.
        var count: UInt64
    }

    /// How often one fault of one stream is logged, at most.
    static let interval = Duration.seconds(60)

    private struct Seen {
        var count: UInt64 = 0
        var logged: ContinuousClock.Instant?
    }

    /// At most one for each kind.
    private var seen: [StreamFault: Seen] = [:]

    mutating func note(_ fault: StreamFault) { seen[fault, default: Seen()].count &+= 1 }

    /// What is to be logged now.
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
