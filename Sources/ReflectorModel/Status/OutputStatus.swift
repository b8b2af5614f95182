/// The status of a stream that an edge sends as MPEG-TS over UDP, to a multicast group or to one address.
public struct OutputStatus: Codable, Sendable, Equatable {
    /// The destination, in the form that streaming servers get: `udp://@239.1.0.17:5000`.
    public var address: String
    public var stream: String
    /// `waiting` (nothing has arrived yet), `flowing`, or `interrupted` (the stream has ended; the edge requests it again).
    public var state: String
    /// Number of requests in force. A streaming server requests for each viewer, or once.
    public var requests: Int
    /// The addresses of the servers that requested it, at most 16.
    public var servers: [String]
    public var secondsSinceBegin: Double
    public var datagrams: UInt64
    public var bytes: UInt64
    /// Datagrams that the kernel refused to send.
    public var sendFailures: UInt64
    /// How often the output skipped part of the stream because the rate limits had delayed it too much.
    public var skips: UInt64
    /// Longest time that bytes waited here, in milliseconds. They wait for the rate limits, and at most 40 ms until a
    /// datagram is full.
    public var waitMillisecondsMax: Double
    /// Packets that were missing at their deadline since the stream came to this edge. Receivers have gaps there.
    public var missing: UInt64?
    /// Packets that arrived after their deadline. They are part of `missing`.
    public var late: UInt64?
    /// Missing packets that were repaired in time. Receivers do not notice them.
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

    /// This status with the stream's quality, which the node reports.
    public func withQuality(of stream: StreamStatus?) -> OutputStatus {
        var status = self
        status.missing = stream?.lost
        status.late = stream?.late
        status.repaired = stream?.repaired
        return status
    }
}
