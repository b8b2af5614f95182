import Glibc
import ReflectorModel

/// The addresses of this machine's interfaces.
public enum LocalAddresses {
    /// Every address once. Empty if the system fails to list them.
    public static var all: [IPAddress] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var addresses: [IPAddress] = []
        var next = list
        while let entry = next {
            if let address = entry.pointee.ifa_addr, let found = Endpoint(address)?.address,
                !addresses.contains(found)
            {
                addresses.append(found)
            }
            next = entry.pointee.ifa_next
        }
        return addresses
    }

    /// The address from which the kernel sends to `target`; nil without a route.
    public static func source(towards target: Endpoint) -> IPAddress? {
        let descriptor = socket(target.address.isV4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard RawSocketAddress.with(target, { connect(descriptor, $0, $1) }) == 0 else { return nil }
        var own = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length) == 0 ? Endpoint($0)?.address : nil
            }
        }
    }
}
