import ReflectorModel

/// The default addresses of nodes: an IPv4 address that follows from the number of the node.
enum NodeAddress {
    static func endpoint(_ index: Int) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0001 + UInt32(index)), port: 4_900)
    }
}
