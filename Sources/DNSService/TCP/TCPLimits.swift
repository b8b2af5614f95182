import ReflectorModel

/// How much TCP clients may have of a name server (RFC 7766 §6.2).
public struct TCPLimits: Sendable {
    /// Most connections; a new one takes the place of the one that has been idle longest.
    public var connectionsMax = 4_096
    /// Most connections from one IPv4 address or one IPv6 /64.
    public var perClientMax = 256
    /// How long a connection may be open without a query.
    public var idleMax = TimeSpan.seconds(10)
    /// How long a client may take for one message, from its first byte on.
    public var messageMax = TimeSpan.seconds(5)
    /// How long a client may take for a part of what was sent to it.
    public var stallMax = TimeSpan.seconds(20)
    /// Bytes that wait in all connections together for their clients to send or take more.
    public var bufferedBytesMax = 64 << 20
    /// Most transfers at once.
    public var transfersMax = 32

    public init() {}
}
