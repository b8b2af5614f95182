import NIOCore

/// Limits of an HTTP port, in total and for each address.
public struct ConnectionBounds: Sendable {
    /// Maximum number of simultaneous connections. At the limit, a new connection evicts one without a request under
    /// way: one that has sent no request for a second since it was opened, or else the one that has been idle longest.
    public var connectionsMax: Int
    /// Maximum number of connections of one IPv4 address or one IPv6 /64. At the limit, a new connection evicts one of
    /// the same address that has no request under way.
    public var connectionsPerAddressMax: Int
    /// The head of the first request must be complete within this time after the connection opens, and a body within
    /// this time after its head.
    public var headTimeout: TimeAmount
    /// An idle connection is closed when the head of its next request is not complete within this time.
    public var idleTimeout: TimeAmount
    /// A connection is closed when its client reads so slowly that nothing more of a response can be written for this
    /// long.
    public var stallTimeout: TimeAmount
    /// A connection is closed after this many requests.
    public var requestsMax: Int
    /// True: when `connectionsMax` is reached and every connection has a request under way, the one with the oldest
    /// request is evicted. Useful where all responses are short: only a client that does not read then takes long.
    public var closesBusy: Bool

    public init(
        connectionsMax: Int, connectionsPerAddressMax: Int, headTimeout: TimeAmount = .seconds(10),
        idleTimeout: TimeAmount = .seconds(30), stallTimeout: TimeAmount = .seconds(30), requestsMax: Int = 10_000,
        closesBusy: Bool = false
    ) {
        self.connectionsMax = connectionsMax
        self.connectionsPerAddressMax = connectionsPerAddressMax
        self.headTimeout = headTimeout
        self.idleTimeout = idleTimeout
        self.stallTimeout = stallTimeout
        self.requestsMax = requestsMax
        self.closesBusy = closesBusy
    }
}

/// Events of an HTTP port's connections, by the name of their counter.
public enum ConnectionEvent: String, Sendable, CaseIterable {
    /// A connection without a request under way was closed because its address was at its limit.
    case evictedOfAddress = "connections_evicted_of_address"
    /// A connection without a request under way was closed because the port was at its limit.
    case evictedIdle = "connections_evicted_idle"
    /// The longest-running request was ended because the port was at its limit.
    case evictedBusy = "connections_evicted_busy"
    /// Refused: every connection of its address has a request under way.
    case refusedOfAddress = "connections_refused_of_address"
    /// Refused: every connection of the port has a request under way.
    case refusedFull = "connections_refused_full"
    /// No complete request in time.
    case headTimedOut = "connections_head_timed_out"
    /// Kept open without a request for too long.
    case idleTimedOut = "connections_idle_timed_out"
    /// The client read so slowly that nothing more of a response could be written for too long.
    case stalled = "connections_stalled"
    /// A request that HTTP/1.1 does not allow.
    case malformed = "requests_malformed"
}
