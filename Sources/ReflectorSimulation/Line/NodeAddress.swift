import ReflectorModel
import RelayCore

/// Where the nodes of a large simulation are: each has an address by its number.
enum NodeAddress {
    static func endpoint(_ index: Int) -> Endpoint {
        Endpoint(address: IPAddress(v4: 0x0a00_0001 + UInt32(index)), port: 4_900)
    }

    static func index(of endpoint: Endpoint) -> Int? { Int(endpoint.address.v4) - 0x0a00_0001 }

    /// A look-up's answer: some of the nodes.
    static func records(_ indices: [Int], of nodes: [LineNode], portset: PortsetID? = nil) -> LookUpResult {
        let hosts = indices.map { ResolvedHost(name: nodes[$0].name, endpoint: endpoint($0), priority: 0, weight: 1) }
        return .records(LookUpAnswer(hosts: hosts, ttlSeconds: 20, serial: 1, portset: portset))
    }
}
