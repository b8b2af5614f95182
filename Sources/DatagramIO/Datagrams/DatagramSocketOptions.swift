import CDatagram

/// How a `DatagramSocket` is opened.
public struct DatagramSocketOptions: Sendable {
    /// What happens to datagrams larger than the path MTU.
    public enum PathMTU: Sendable {
        /// DF is set and a larger datagram fails with EMSGSIZE, counted. For relays (design §7).
        case dontFragment
        /// The path MTU is ignored and DF is clear, so that forged ICMP cannot shrink it. For name servers (RFC 9715).
        case omit
        /// The machine's setting.
        case system

        var policy: cdg_mtu_policy {
            switch self {
            case .dontFragment: CDG_MTU_DONT_FRAGMENT
            case .omit: CDG_MTU_OMIT
            case .system: CDG_MTU_SYSTEM
            }
        }
    }

    /// SO_REUSEADDR. Off: two programs on one port are a mistake that should be reported at start.
    public var reuseAddress = false
    /// SO_REUSEPORT: several sockets share one port, the kernel spreads flows over them.
    public var reusePort = false
    /// IP_FREEBIND: allows an address that no interface has yet; datagrams arrive as soon as an interface has it.
    public var freeBind = false
    public var pathMTU = PathMTU.dontFragment
    /// UDP_GRO: the kernel may hand over several datagrams of one flow in one message. Split again before the owner.
    public var receiveOffload = true
    /// SO_RXQ_OVFL: each datagram carries the number that the kernel dropped before it, so that `receiveBufferFull` is
    /// always up to date. Once something has been dropped that costs 0.1 µs a datagram; without, ask `readDrops`.
    public var reportsDrops = true
    /// UDP_SEGMENT: runs of equal datagrams to one destination leave in one message.
    public var segmentationOffload = true
    /// Wanted receive buffer in bytes; what was granted is `DatagramSocket.receiveBufferBytes`.
    public var receiveBufferBytes = 8 << 20
    /// Wanted send buffer in bytes; what was granted is `DatagramSocket.sendBufferBytes`.
    public var sendBufferBytes = 8 << 20

    public init() {}

    /// For requests and answers with unknown peers: no offload, path MTU ignored, drops read on request.
    public static var queries: DatagramSocketOptions {
        var options = DatagramSocketOptions()
        options.pathMTU = .omit
        options.receiveOffload = false
        options.segmentationOffload = false
        options.reportsDrops = false
        return options
    }
}
