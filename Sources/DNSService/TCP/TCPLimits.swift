import ReflectorModel

/// Resource limits for TCP clients of a name server (RFC 7766 §6.2).
public struct TCPLimits: Sendable {
    /// Maximum number of connections. At the limit, a new connection replaces one whose message is incomplete, or else
    /// the one that has been idle longest.
    public var connectionsMax = 4_096
    /// Maximum number of connections from one IPv4 address or one IPv6 /64.
    public var perClientMax = 256
    /// How long a connection may be open without a query.
    public var idleMax = TimeSpan.seconds(10)
    /// Maximum time for one message, from its first byte on.
    public var messageMax = TimeSpan.seconds(5)
    /// Maximum time in which the client reads nothing of what it is sent.
    public var stallMax = TimeSpan.seconds(20)
    /// Maximum number of bytes buffered for all connections together.
    public var bufferedBytesMax = 64 << 20
    /// Maximum number of concurrent transfers.
    public var transfersMax = 32

    public init() {}
}
