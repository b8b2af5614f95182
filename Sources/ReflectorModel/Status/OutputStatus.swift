/// A stream that an edge hands out as MPEG-TS over UDP, to a multicast group or to one address.
public struct OutputStatus: Codable, Sendable, Equatable {
    /// Where the datagrams go, as streaming servers are told: `udp://@239.1.0.17:5000`.
    public var address: String
    public var stream: String
    /// `waiting` (nothing has arrived yet), `flowing` or `interrupted` (the stream has ended, and is requested again).
    public var state: String
    /// Requests in force: viewers at streaming servers, or servers.
    public var requests: Int
    /// The addresses of the servers that requested it, at most 16.
    public var servers: [String]
    public var secondsSinceBegin: Double
    public var datagrams: UInt64
    public var bytes: UInt64
    /// Datagrams that the kernel refused to send.
    public var sendFailures: UInt64
    /// Times that the output fell so far behind, because of the rate limits, that it skipped part of the stream.
    public var skips: UInt64
    /// Longest time that bytes waited here, for the rate limits or for a datagram to fill (at most 40 ms), in
    /// milliseconds.
    public var waitMillisecondsMax: Double
    /// Packets of the stream that were missing at their deadline since it came to this edge: receivers have gaps here.
    public var missing: UInt64?
    /// Of these, packets that arrived after their deadline.
    public var late: UInt64?
    /// Packets of the stream that were recovered in time: receivers do not notice them.
    public var repaired: UInt64?

    public init(
        address: String, stream: String, state: String, requests: Int, servers: [String], secondsSinceBegin: Double,
        datagrams: UInt64, bytes: UInt64, sendFailures: UInt64, skips: UInt64, waitMillisecondsMax: Double
    ) {
        self.address = address
        self.stream = stream
        self.state = state
        self.requests = requests
        self.servers = servers
        self.secondsSinceBegin = secondsSinceBegin
        self.datagrams = datagrams
        self.bytes = bytes
        self.sendFailures = sendFailures
        self.skips = skips
        self.waitMillisecondsMax = waitMillisecondsMax
    }

    /// The stream's quality at the hand-over, from what the node reports of the stream.
    public func withQuality(of stream: StreamStatus?) -> OutputStatus {
        var status = self
        status.missing = stream?.lost
        status.late = stream?.late
        status.repaired = stream?.repaired
        return status
    }
}
