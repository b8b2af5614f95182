import CDatagram

/// How a `DatagramSocket` is opened.
public struct DatagramSocketOptions: Sendable {
    /// What becomes of datagrams larger than the path.
    public enum PathMTU: Sendable {
        /// DF is set and a larger datagram fails with EMSGSIZE, counted. For relays (design §7).
        case dontFragment
        /// The path MTU is ignored and DF is clear, so that forged ICMP cannot shrink it. For name servers (RFC 9715).
        case omit
        /// Whatever the machine is set to.
        case system

        var policy: cdg_mtu_policy {
            switch self {
            case .dontFragment: CDG_MTU_DONT_FRAGMENT
            case .omit: CDG_MTU_OMIT
            case .system: CDG_MTU_SYSTEM
            }
        }
    }

    /// SO_REUSEADDR. Off: two programs on one port is a mistake that should show at start.
    public var reuseAddress = false
    /// SO_REUSEPORT: several sockets share one port, the kernel spreads flows over them.
    public var reusePort = false
    /// IP_FREEBIND: an address that no interface has yet may be bound; datagrams come once one has it.
    public var freeBind = false
    public var pathMTU = PathMTU.dontFragment
    /// UDP_GRO: the kernel may hand over several datagrams of one flow in one message. Split again before the owner.
    public var receiveOffload = true
    /// SO_RXQ_OVFL: each datagram says how many the kernel has dropped before it, so that `receiveBufferFull` is always
    /// up to date. Once something has been dropped that costs 0.1 µs a datagram; without, ask `readDrops`.
    public var reportsDrops = true
    /// UDP_SEGMENT: runs of equal datagrams to one destination leave in one message.
    public var segmentationOffload = true
    /// Wanted receive buffer in bytes; what was granted is `DatagramSocket.receiveBufferBytes`.
    public var receiveBufferBytes = 8 << 20
    /// Wanted send buffer in bytes; what was granted is `DatagramSocket.sendBufferBytes`.
    public var sendBufferBytes = 8 << 20

    public init() {}

    /// For request and answer with strangers: no offload, path MTU ignored, drops asked for.
    public static var queries: DatagramSocketOptions {
        var options = DatagramSocketOptions()
        options.pathMTU = .omit
        options.receiveOffload = false
        options.segmentationOffload = false
        options.reportsDrops = false
        return options
    }
}
