import CDatagram
import Glibc
import ReflectorModel

/// A datagram that the kernel refused to send: the cause and the remedy.
public struct SendFailure: Equatable, Sendable, CustomStringConvertible {
    /// The `errno` of the call.
    public var code: Int32
    public var destination: Endpoint
    public var bytes: Int

    public init(code: Int32, destination: Endpoint, bytes: Int) {
        self.code = code
        self.destination = destination
        self.bytes = bytes
    }

    public var description: String {
        "\(bytes) bytes to \(destination) not sent: \(String(cString: cdg_error_text(code)))\(advice.map { "; \($0)" } ?? "")"
    }

    private var advice: String? {
        switch code {
        case EMSGSIZE:
            "larger than the MTU of the path: the entrypoint lowers its payload by itself if it can, else give it "
                + "--payload 1128"
        case ENOBUFS:
            "the queue of the network device is full: the line is too slow for this load, or its queue too short "
                + "(ip link set DEV txqueuelen 10000)"
        case EPERM: "a firewall rule of this machine forbids it (nft list ruleset, chain output)"
        case EACCES: "a route of this machine prohibits it (ip route get \(destination.address))"
        case ENETUNREACH:
            "this machine has no route to it (ip route get \(destination.address)): add one, or take the address out of "
                + "the zone"
        case EHOSTUNREACH: "no host on the local network answers for it (ip neigh), or a route makes it unreachable"
        case EADDRNOTAVAIL, EINVAL, ENODEV:
            "its source address is no longer on this machine's interfaces (ip addr)"
        case EAFNOSUPPORT: "its address family is disabled on this machine (sysctl net.ipv6.conf.all.disable_ipv6)"
        default: nil
        }
    }
}
