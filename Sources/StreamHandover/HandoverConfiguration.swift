import ReflectorModel

/// What an edge may hand out over UDP, where to, and who may request it.
public struct HandoverConfiguration: Sendable {
    /// Lowest port of a destination: below are the ports of the machine's own services.
    static let portMin: UInt16 = 1_024

    /// Multicast groups for all streams; the first range is the usual one.
    public var ranges: [GroupRange] = []
    /// Groups for single streams; no other stream gets them.
    public var groups: [StreamGroup] = []
    /// Unicast destinations that may be requested; none by default, so that nobody can be flooded.
    public var allow: [CIDRBlock] = []
    /// Where requests are accepted. With port 0 the kernel chooses a port.
    public var endpoint: Endpoint
    /// Who may request.
    public var requesters: [CIDRBlock] = CIDRBlock.loopback
    /// Maximum number of outputs. When it is reached, the oldest one that has not sent anything yet is ended for a new
    /// one.
    public var outputsMax = 64
    /// Maximum number of requests in force, in total and of one server.
    public var requestsMax = 4_096
    public var requestsPerServerMax = 1_024
    /// How long a request is in force, unless it says otherwise.
    public var lifetime = TimeSpan.seconds(60)
    /// The longest that a request may ask for.
    public var lifetimeMax = TimeSpan.seconds(86_400)
    /// Bits a second to one destination: how fast the beginning of a stream is sent, and the highest rate of a stream.
    public var rateOfOutputMax: UInt64 = 50_000_000
    /// Bits a second to all destinations together.
    public var rateMax: UInt64 = 500_000_000
    /// How long a hook waits for the first byte of a stream that is not here, before it is told that the request is
    /// accepted.
    public var firstByteWait = Duration.seconds(2)

    public init(endpoint: Endpoint) { self.endpoint = endpoint }

    /// True if there is anything to hand out.
    public var isEnabled: Bool { !ranges.isEmpty || !groups.isEmpty || !allow.isEmpty }
}
