import ReflectorModel

/// Where an edge may send streams over UDP, who may request them, and the limits.
public struct HandoverConfiguration: Sendable {
    /// Lowest port of a destination. The receiving host uses lower ports for its own services.
    static let portMin: UInt16 = 1_024

    /// Multicast groups for all streams. The first range is the default.
    public var ranges: [GroupRange] = []
    /// Groups that each belong to one stream. No other stream uses them.
    public var groups: [StreamGroup] = []
    /// Unicast destinations that a request may name. By default there are none, so that nobody can be flooded.
    public var allow: [CIDRBlock] = []
    /// Where requests are accepted. With port 0 the kernel chooses a port.
    public var endpoint: Endpoint
    /// Who may request.
    public var requesters: [CIDRBlock] = CIDRBlock.loopback
    /// Maximum number of outputs. When it is reached, a new output replaces the oldest one that has not sent anything
    /// yet.
    public var outputsMax = 64
    /// Maximum number of requests in force, in total and of one server.
    public var requestsMax = 4_096
    public var requestsPerServerMax = 1_024
    /// How long a request is in force if it does not name a time.
    public var lifetime = TimeSpan.seconds(60)
    /// The longest time that a request may name.
    public var lifetimeMax = TimeSpan.seconds(86_400)
    /// Highest rate to one destination, in bits a second. The edge sends the beginning of a stream at this rate.
    public var rateOfOutputMax: UInt64 = 50_000_000
    /// Highest rate to all destinations together, in bits a second.
    public var rateMax: UInt64 = 500_000_000
    /// How long the answer to a request waits for the first byte of a stream. After this time it says that the request is
    /// accepted.
    public var firstByteWait = Duration.seconds(2)

    public init(endpoint: Endpoint) { self.endpoint = endpoint }

    /// True if there is a destination that a request can get.
    public var isEnabled: Bool { !ranges.isEmpty || !groups.isEmpty || !allow.isEmpty }
}
