import CDatagram

/// Options for opening a `DatagramSocket`.
public struct DatagramSocketOptions: Sendable {
    /// How datagrams larger than the path MTU are handled.
    public enum PathMTU: Sendable {
        /// DF is set; a larger datagram fails with EMSGSIZE, which is counted. For relays (design §7).
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

    /// SO_REUSEADDR. Off by default: two programs on one port are a mistake that should be reported at start.
    public var reuseAddress = false
    /// SO_REUSEPORT: several sockets share one port, and the kernel distributes flows over them.
    public var reusePort = false
    /// IP_FREEBIND: allows an address that no interface has yet; datagrams arrive as soon as an interface has it.
    public var freeBind = false
    public var pathMTU = PathMTU.dontFragment
    /// UDP_GRO: the kernel may deliver several datagrams of one flow in one message. They are split again before the
    /// owner sees them.
    public var receiveOffload = true
    /// SO_RXQ_OVFL: each datagram carries the number of datagrams that the kernel dropped before it, and thus updates
    /// `receiveBufferFull`. After the first drop this costs 0.1 µs per datagram. Without the option, the count is
    /// updated only by `readDrops`.
    public var reportsDrops = true
    /// IP_RECVERR: the handler learns of ICMP messages that say that nobody listens on a port to which the socket sent
    /// (`DatagramHandler.portUnreachable`).
    public var reportsUnreachablePorts = false
    /// UDP_SEGMENT: runs of equally long datagrams to one destination are sent in one message.
    public var segmentationOffload = true
    /// Requested receive buffer in bytes; the granted size is `DatagramSocket.receiveBufferBytes`.
    public var receiveBufferBytes = 8 << 20
    /// Requested send buffer in bytes; the granted size is `DatagramSocket.sendBufferBytes`.
    public var sendBufferBytes = 8 << 20

    public init() {}

    /// For nodes, which watch many peers through one socket.
    public static var relay: DatagramSocketOptions {
        var options = DatagramSocketOptions()
        options.reportsUnreachablePorts = true
        return options
    }

    /// For requests and replies with unknown peers: no offload, path MTU ignored, drops counted only by `readDrops`.
    public static var queries: DatagramSocketOptions {
        var options = DatagramSocketOptions()
        options.pathMTU = .omit
        options.receiveOffload = false
        options.segmentationOffload = false
        options.reportsDrops = false
        return options
    }
}
