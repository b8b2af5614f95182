import ReflectorModel
import RelayCore

/// The hosts of a simulated network, in the order of their nodes.
struct SimulatedHosts {
    struct Host {
        var name: String
        var role: NodeRole
        var region: RegionID?
        var endpoint: Endpoint
        /// The host has a certificate but is not in the zone.
        var isInsider = false
    }

    private(set) var all: [Host] = []

    func index(of name: String) -> Int? { all.firstIndex { $0.name == name } }

    /// The hosts of a role that are in the zone.
    func indices(_ role: NodeRole) -> [Int] { all.indices.filter { all[$0].role == role && !all[$0].isInsider } }

    /// Adds a host and its records in the zone.
    mutating func add(_ name: String, _ role: NodeRole, _ region: RegionID?, to zone: inout SimulatedZone) {
        let endpoint = NodeAddress.endpoint(all.count)
        all.append(Host(name: name, role: role, region: region, endpoint: endpoint))
        zone.hosts.append(SimulatedZone.Host(name: name, endpoint: endpoint))
        zone.parts[name] = NodeListing.Part(role: role, region: region)
    }

    /// Adds a host that has a certificate but is not in the zone.
    mutating func addInsider(_ name: String, _ role: NodeRole, _ region: RegionID?, to zone: inout SimulatedZone) {
        let endpoint = NodeAddress.endpoint(all.count)
        all.append(Host(name: name, role: role, region: region, endpoint: endpoint, isInsider: true))
        zone.insiders.append(name)
    }

    /// The configuration of a host: as in production, but with little memory.
    func configuration(of host: Int) -> RelayConfiguration {
        var configuration = RelayConfiguration(name: all[host].name, role: all[host].role, region: all[host].region)
        configuration.controlBytesMax = 1 << 16
        configuration.lookUpsMax = 64
        return configuration
    }
}
