import Glibc
import NIOCore
import ReflectorModel

/// Which of our addresses a NOTIFY leaves from. A secondary takes it only from the address that it knows as its primary
/// (RFC 1996 §3.11), and a packet from a loopback address never leaves the host.
enum NotifySource {
    /// - Parameters:
    ///   - listening: addresses that the server listens on, in the operator's order.
    ///   - routed: what the kernel would send from; nil without a route.
    /// - Returns: the address to bind to; the wildcard lets the kernel choose.
    static func choose(to target: IPAddress, listening: [IPAddress], routed: IPAddress?) -> IPAddress {
        let wildcard = target.isV4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0)
        let own = listening.filter { $0.isV4 == target.isV4 }
        // The secondary can ask us at the routed address: it is the one it sees.
        if let routed, own.contains(routed) || own.contains(wildcard) { return routed }
        let reaching = own.filter { $0 != wildcard && $0.isLoopback == target.isLoopback }
        return reaching.first ?? routed ?? wildcard
    }

    /// The address that packets to a target leave from, as the kernel's routes have it by now. Nil without a route.
    static func routed(to target: Endpoint) -> IPAddress? {
        guard let address = try? SocketAddress(ipAddress: target.address.description, port: Int(target.port)) else {
            return nil
        }
        let file = socket(target.address.isV4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        guard file >= 0 else { return nil }
        defer { close(file) }
        // Connecting a UDP socket sends nothing; it only looks the route up.
        guard address.withSockAddr({ connect(file, $0, socklen_t($1)) }) == 0 else { return nil }
        var local = sockaddr_in6()
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        return withUnsafeMutablePointer(to: &local) { pointer -> IPAddress? in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name -> IPAddress? in
                guard getsockname(file, name, &length) == 0 else { return nil }
                return target.address.isV4
                    ? name.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                        IPAddress(v4: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
                    }
                    : name.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                        withUnsafeBytes(of: address.pointee.sin6_addr) { bytes in
                            IPAddress(
                                high: UInt64(bigEndian: bytes.load(as: UInt64.self)),
                                low: UInt64(bigEndian: bytes.load(fromByteOffset: 8, as: UInt64.self)))
                        }
                    }
            }
        }
    }
}
