import ReflectorModel

/// Where nodes are unless a scenario says otherwise: each has an IPv4 address by its number.
enum NodeAddress {
    static func endpoint(_ index: Int) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0001 + UInt32(index)), port: 4_900)
    }
}
