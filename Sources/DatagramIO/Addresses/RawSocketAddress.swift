import Glibc
import ReflectorModel

/// Endpoints in the format of socket calls (`sockaddr_in`, `sockaddr_in6`).
public enum RawSocketAddress {
    public static func with<Result>(
        _ endpoint: Endpoint, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var storage = sockaddr_storage()
        let length: Int
        if endpoint.address.isV4 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = endpoint.port.bigEndian
            address.sin_addr.s_addr = endpoint.address.v4.bigEndian
            length = MemoryLayout<sockaddr_in>.size
            withUnsafeMutableBytes(of: &storage) { bytes in withUnsafeBytes(of: &address) { bytes.copyMemory(from: $0) }
            }
        } else {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = endpoint.port.bigEndian
            withUnsafeMutableBytes(of: &address.sin6_addr) { bytes in
                bytes.storeBytes(of: endpoint.address.high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: endpoint.address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            length = MemoryLayout<sockaddr_in6>.size
            withUnsafeMutableBytes(of: &storage) { bytes in withUnsafeBytes(of: &address) { bytes.copyMemory(from: $0) }
            }
        }
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
        }
    }
}

extension Endpoint {
    /// Nil for a family other than IPv4 and IPv6.
    init?(_ address: UnsafePointer<sockaddr>) {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            self = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                Endpoint(
                    address: IPAddress(v4: UInt32(bigEndian: $0.pointee.sin_addr.s_addr)),
                    port: UInt16(bigEndian: $0.pointee.sin_port))
            }
        case AF_INET6:
            self = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                let words = withUnsafeBytes(of: address.pointee.sin6_addr) { bytes in
                    (0..<2).map { UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8 * $0, as: UInt64.self)) }
                }
                return Endpoint(
                    address: IPAddress(high: words[0], low: words[1]),
                    port: UInt16(bigEndian: address.pointee.sin6_port))
            }
        default: return nil
        }
    }
}
