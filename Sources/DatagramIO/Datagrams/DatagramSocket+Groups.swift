import Glibc
import ReflectorModel

extension DatagramSocket {
    /// Sends datagrams for multicast groups through this interface, with a TTL of 1: they never leave its network.
    /// Receivers on this machine get them, too.
    ///
    /// - Throws: `DatagramError` if there is no such interface.
    public func sendGroups(through interface: String) throws(DatagramError) {
        let index = if_nametoindex(interface)
        guard index > 0 else { throw DatagramError(operation: "interface", code: ENODEV, subject: interface) }
        if local.address.isV4 {
            var request = ip_mreqn()
            request.imr_ifindex = Int32(bitPattern: index)
            try set(IPPROTO_IP, IP_MULTICAST_IF, request, interface)
            try set(IPPROTO_IP, IP_MULTICAST_TTL, Int32(1), interface)
        } else {
            try set(IPPROTO_IPV6, IPV6_MULTICAST_IF, index, interface)
            try set(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, Int32(1), interface)
        }
    }

    private func set<Value>(_ level: some BinaryInteger, _ name: Int32, _ value: Value, _ subject: String)
        throws(DatagramError)
    {
        let code = withUnsafePointer(to: value) {
            setsockopt(descriptor, Int32(level), name, $0, socklen_t(MemoryLayout<Value>.size))
        }
        guard code == 0 else { throw DatagramError(operation: "multicast", code: errno, subject: subject) }
    }
}
