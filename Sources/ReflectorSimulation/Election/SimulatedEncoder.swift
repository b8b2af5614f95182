import ReflectorModel
import RelayCore

/// The encoder of one stream, as its entrypoints see it. It pushes to all of them, or serves those that pull.
///
/// ```
/// waiting ──wanted, its link is up, after the answer time──▶ connected
///    ▲──────────────link closed, or no longer wanted───────────┘
/// ```
struct SimulatedEncoder {
    /// The state of the line between the encoder and one entrypoint.
    enum Line: Equatable {
        case up
        /// Connections end at once, and no new one comes about.
        case closed
        /// Connections stay, but carry nothing.
        case silent
    }

    /// What one entrypoint has of the encoder.
    struct Feed {
        var line = Line.up
        /// The entrypoint pulls, or is pushed to.
        var isWanted = false
        var isConnected = false
        /// Number of the present attempt to connect. An older attempt is void.
        var attempt = 0
        /// Identifies the incarnation that the packets belong to, over all entrypoints and streams.
        var session: UInt64 = 0
        /// The last packet in the session.
        var number: UInt64 = 0
        var handle: StreamHandle?
        var connectedAt = MonotonicInstant.zero

        /// Its data arrive at the entrypoint.
        var isLive: Bool { isConnected && line == .up }
    }

    let isPull: Bool
    /// One for each entrypoint.
    var feeds: [Feed]

    init(isPull: Bool, entrypoints: Int) {
        self.isPull = isPull
        feeds = Array(repeating: Feed(), count: entrypoints)
    }

    /// How many entrypoints receive its data now.
    var liveCount: Int { feeds.count(where: \.isLive) }
}
