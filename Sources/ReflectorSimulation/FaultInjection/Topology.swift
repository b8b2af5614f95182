import ReflectorModel
import RelayCore

/// The hosts of the simulated network: entrypoints, set regions of one or two hosts, edges, and their records in the
/// zone. It is small, so that many seeds can run, and the seed varies it.
struct Topology {
    struct Host {
        var name: String
        var role: NodeRole
        var region: RegionID?
        var endpoint: Endpoint
        /// The host has a certificate but is not in the zone.
        var isInsider = false
    }

    private(set) var hosts: [Host] = []
    private(set) var zone: SimulatedZone

    var entrypoints: [Int] { indices(.entrypoint) }
    var sets: [Int] { indices(.set) }
    var edges: [Int] { indices(.edge) }
    var all: [Int] { hosts.indices.filter { !hosts[$0].isInsider } }
    var insiders: [Int] { hosts.indices.filter { hosts[$0].isInsider } }

    init(_ random: inout SeededGenerator, hasInsiders: Bool = false) {
        let setRegions: [(id: RegionID, hosts: [String])] = [
            (RegionID(9001), ["nyc-1", "nyc-2"]), (RegionID(9002), ["lon-1", "lon-2"]), (RegionID(9003), ["sjc-1"]),
        ]
        zone = SimulatedZone(
            ttlSeconds: UInt32(2 + random.next(below: 4)), hosts: [], setRegions: setRegions, maps: [], streams: [])
        for name in ["ep-bos", "ep-nyc"] { add(name, .entrypoint, nil) }
        for set in setRegions {
            for host in set.hosts { add(host, .set, set.id) }
        }
        let regions = [RegionID(1283), RegionID(1284)]
        add("boston", .edge, regions[0])
        add("albany", .edge, regions[1])

        let portsets = [PortsetID(4096), PortsetID(17)]
        for region in regions {
            for portset in portsets {
                var parents = setRegions.map(\.id)
                parents.shuffle(using: &random)
                zone.maps.append(SimulatedZone.Map(region: region, portset: portset, parents: parents))
            }
        }
        if random.chance(0.3) {
            // A transit chain: one set region fetches from the two others.
            zone.maps.append(
                SimulatedZone.Map(
                    region: RegionID(9003), portset: portsets[0], parents: [RegionID(9001), RegionID(9002)]))
        }
        for (name, portset) in zip(["live/news", "live/sport"], portsets) {
            var candidates = ["ep-bos", "ep-nyc"]
            if random.chance(0.5) { candidates.reverse() }
            guard let stream = StreamName(name) else { continue }
            zone.streams.append(SimulatedZone.Stream(name: stream, portset: portset, candidates: candidates))
        }
        if hasInsiders {
            addInsider("mallory", .entrypoint, nil)
            // This insider uses the name of an honest entrypoint.
            addInsider("ep-bos", .entrypoint, nil)
            addInsider("eve", .edge, regions[0])
        }
    }

    func index(of name: String) -> Int? { hosts.firstIndex { $0.name == name } }

    /// The configuration of a host: as in production, but with little memory and, among insiders, low limits for new
    /// names.
    func configuration(of host: Int) -> RelayConfiguration {
        var configuration = RelayConfiguration(
            name: hosts[host].name, role: hosts[host].role, region: hosts[host].region)
        configuration.packetsMax = 4_096
        configuration.controlBytesMax = 1 << 16
        configuration.lookUpsMax = 64
        if !insiders.isEmpty, !hosts[host].isInsider {
            configuration.streamsMax = Self.streamsMaxAmongInsiders
            configuration.newNamesBurst = 48
            configuration.newNamesPerSecond = 16
        }
        return configuration
    }

    /// A small number, so that a flood of names fills the table.
    static let streamsMaxAmongInsiders = 16

    private func indices(_ role: NodeRole) -> [Int] {
        hosts.indices.filter { hosts[$0].role == role && !hosts[$0].isInsider }
    }

    private mutating func addInsider(_ name: String, _ role: NodeRole, _ region: RegionID?) {
        let address = IPAddress(v4: 0x0a00_0001 + UInt32(hosts.count))
        let endpoint = Endpoint(address: address, port: 4900)
        hosts.append(Host(name: name, role: role, region: region, endpoint: endpoint, isInsider: true))
        zone.insiders.append(name)
    }

    private mutating func add(_ name: String, _ role: NodeRole, _ region: RegionID?) {
        let address = IPAddress(v4: 0x0a00_0001 + UInt32(hosts.count))
        let endpoint = Endpoint(address: address, port: 4900)
        hosts.append(Host(name: name, role: role, region: region, endpoint: endpoint))
        zone.hosts.append(SimulatedZone.Host(name: name, endpoint: endpoint))
        zone.parts[name] = NodeListing.Part(role: role, region: region)
    }
}
