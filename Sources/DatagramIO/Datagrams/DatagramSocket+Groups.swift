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

    /// Receives a group on this interface, and on no other one. The socket should be bound to the group.
    ///
    /// - Throws: `DatagramError` if there is no such interface, or it has no address of the group's family.
    public func join(_ group: IPAddress, on interface: String) throws(DatagramError) {
        let index = if_nametoindex(interface)
        guard index > 0 else { throw DatagramError(operation: "interface", code: ENODEV, subject: interface) }
        let subject = "\(group) on \(interface)"
        if group.isV4 {
            var request = ip_mreqn()
            request.imr_multiaddr.s_addr = group.v4.bigEndian
            request.imr_ifindex = Int32(bitPattern: index)
            // Otherwise the socket also gets what other sockets have joined on other interfaces.
            try set(IPPROTO_IP, Self.ipMulticastAll, Int32(0), subject)
            try set(IPPROTO_IP, IP_ADD_MEMBERSHIP, request, subject)
        } else {
            var request = ipv6_mreq()
            withUnsafeMutableBytes(of: &request.ipv6mr_multiaddr) { bytes in
                bytes.storeBytes(of: group.high.bigEndian, as: UInt64.self)
                bytes.storeBytes(of: group.low.bigEndian, toByteOffset: 8, as: UInt64.self)
            }
            request.ipv6mr_interface = index
            try set(IPPROTO_IPV6, Self.ipv6MulticastAll, Int32(0), subject)
            try set(IPPROTO_IPV6, IPV6_JOIN_GROUP, request, subject)
        }
    }

    /// IP_MULTICAST_ALL and IPV6_MULTICAST_ALL of Linux, which glibc's headers of some releases lack.
    private static let ipMulticastAll: Int32 = 49
    private static let ipv6MulticastAll: Int32 = 29

    private func set<Value>(_ level: some BinaryInteger, _ name: Int32, _ value: Value, _ subject: String)
        throws(DatagramError)
    {
        let code = withUnsafePointer(to: value) {
            setsockopt(descriptor, Int32(level), name, $0, socklen_t(MemoryLayout<Value>.size))
        }
        guard code == 0 else { throw DatagramError(operation: "multicast", code: errno, subject: subject) }
    }
}
