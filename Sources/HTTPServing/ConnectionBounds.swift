import NIOCore

/// How much of an HTTP port its clients may have, in all and from one address.
public struct ConnectionBounds: Sendable {
    /// Most connections at once. For one more, the one that has been idle longest is closed.
    public var connectionsMax: Int
    /// Most connections of one IPv4 address or one IPv6 /64. For one more, an idle one of the same address is closed.
    public var connectionsPerAddressMax: Int
    /// A first request must be complete this long after the connection, and a body this long after its head.
    public var headTimeout: TimeAmount
    /// A connection is closed when its next request is not complete after this long.
    public var idleTimeout: TimeAmount
    /// A connection is closed when its client takes nothing of an answer for this long.
    public var stallTimeout: TimeAmount
    /// Requests of one connection, after which it is closed.
    public var requestsMax: Int
    /// In a full table without an idle connection, the oldest request makes room: right where every answer is short, so
    /// that only a client that does not read takes long.
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

/// What happened to connections of an HTTP port, by name of its counter.
public enum ConnectionEvent: String, Sendable, CaseIterable {
    /// An idle connection was closed, for its address had as many as it may have.
    case evictedOfAddress = "connections_evicted_of_address"
    /// The connection idle longest was closed, for the port had as many as it may have.
    case evictedIdle = "connections_evicted_idle"
    /// The request that took longest was ended, for the port had as many as it may have.
    case evictedBusy = "connections_evicted_busy"
    /// Not let in: every connection of its address has a request under way.
    case refusedOfAddress = "connections_refused_of_address"
    /// Not let in: every connection of the port has a request under way.
    case refusedFull = "connections_refused_full"
    /// No whole request in time.
    case headTimedOut = "connections_head_timed_out"
    /// Kept open without a request for too long.
    case idleTimedOut = "connections_idle_timed_out"
    /// The client took nothing of an answer for too long.
    case stalled = "connections_stalled"
    /// A request that HTTP/1.1 does not allow.
    case malformed = "requests_malformed"
}
