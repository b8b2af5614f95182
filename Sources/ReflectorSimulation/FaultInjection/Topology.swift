import ReflectorModel
import RelayCore

/// The hosts of the simulated network: entrypoints, set regions of one or two hosts, edges, and their records in the
/// zone. It is small, so that many seeds can run, and the seed varies it.
struct Topology {
    private var list = SimulatedHosts()
    private(set) var zone: SimulatedZone

    var hosts: [SimulatedHosts.Host] { list.all }
    var entrypoints: [Int] { list.indices(.entrypoint) }
    var sets: [Int] { list.indices(.set) }
    var edges: [Int] { list.indices(.edge) }
    var all: [Int] { hosts.indices.filter { !hosts[$0].isInsider } }
    var insiders: [Int] { hosts.indices.filter { hosts[$0].isInsider } }

    init(_ random: inout SeededGenerator, hasInsiders: Bool = false) {
        let setRegions: [(id: RegionID, hosts: [String])] = [
            (RegionID(9001), ["nyc-1", "nyc-2"]), (RegionID(9002), ["lon-1", "lon-2"]), (RegionID(9003), ["sjc-1"]),
        ]
        zone = SimulatedZone(
            ttlSeconds: UInt32(2 + random.next(below: 4)), hosts: [], setRegions: setRegions, maps: [], streams: [])
        for name in ["ep-bos", "ep-nyc"] { list.add(name, .entrypoint, nil, to: &zone) }
        for set in setRegions {
            for host in set.hosts { list.add(host, .set, set.id, to: &zone) }
        }
        let regions = [RegionID(1283), RegionID(1284)]
        list.add("boston", .edge, regions[0], to: &zone)
        list.add("albany", .edge, regions[1], to: &zone)

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
            list.addInsider("mallory", .entrypoint, nil, to: &zone)
            // This insider uses the name of an honest entrypoint.
            list.addInsider("ep-bos", .entrypoint, nil, to: &zone)
            list.addInsider("eve", .edge, regions[0], to: &zone)
        }
    }

    func index(of name: String) -> Int? { list.index(of: name) }

    /// The configuration of a host: as in production, but with little memory and, among insiders, low limits for new
    /// names.
    func configuration(of host: Int) -> RelayConfiguration {
        var configuration = list.configuration(of: host)
        configuration.packetsMax = 4_096
        if !insiders.isEmpty, !hosts[host].isInsider {
            configuration.streamsMax = Self.streamsMaxAmongInsiders
            configuration.newNamesBurst = 48
            configuration.newNamesPerSecond = 16
        }
        return configuration
    }

    /// A small number, so that a flood of names fills the table.
    static let streamsMaxAmongInsiders = 16
}
