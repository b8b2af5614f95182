import ReflectorModel
import RelayCore

/// The hosts of a simulated election: three candidate entrypoints, one entrypoint that the zone does not name, three to
/// five set reflectors in two or three set regions, and two or three edges. The seed varies it.
struct ElectionTopology {
    struct Host {
        var name: String
        var role: NodeRole
        var region: RegionID?
        var endpoint: Endpoint
    }

    /// The streams of a run, in the order of the zone.
    enum Kind: Int, CaseIterable {
        /// An encoder pushes to all candidates.
        case warmPush
        /// One entrypoint pulls from the encoder.
        case coldPull
        /// Several entrypoints may pull from the encoder.
        case coldPullByMany

        var name: String {
            switch self {
            case .warmPush: "live/warm"
            case .coldPull: "live/cold"
            case .coldPullByMany: "live/many"
            }
        }

        var policy: StreamPolicy {
            switch self {
            case .warmPush: StreamPolicy(isPull: false)
            case .coldPull: StreamPolicy(isPull: true)
            case .coldPullByMany: StreamPolicy(isPull: true, pullers: .many)
            }
        }
    }

    static let candidates = ["ep-bos", "ep-nyc", "ep-lon"]
    /// An entrypoint that provides and offers every stream although the zone does not name it.
    static let stranger = "ep-stray"

    private(set) var hosts: [Host] = []
    private(set) var zone: SimulatedZone

    var entrypoints: [Int] { indices(.entrypoint) }
    var sets: [Int] { indices(.set) }
    var edges: [Int] { indices(.edge) }

    /// - Parameter setsCount: number of set reflectors; chosen by the seed if nil.
    init(_ random: inout SeededGenerator, setsCount: Int? = nil) {
        zone = SimulatedZone(
            ttlSeconds: UInt32(2 + random.next(below: 4)), hosts: [], setRegions: [], maps: [], streams: [])
        for name in Self.candidates { add(name, .entrypoint, nil) }
        // The zone has its address, but names it for no stream.
        add(Self.stranger, .entrypoint, nil)
        let regions = 2 + Int(random.next(below: 2))
        let count = setsCount ?? 3 + Int(random.next(below: 3))
        for number in 0..<regions { zone.setRegions.append((RegionID(UInt32(9_001 + number)), [])) }
        for number in 0..<count {
            let region = number % regions
            let name = "set-\(number + 1)"
            zone.setRegions[region].hosts.append(name)
            add(name, .set, zone.setRegions[region].id)
        }
        let portset = PortsetID(4_096)
        for number in 0..<2 + Int(random.next(below: 2)) {
            let region = RegionID(UInt32(1_001 + number))
            add("edge-\(number + 1)", .edge, region)
            var parents = zone.setRegions.map(\.id)
            parents.shuffle(using: &random)
            zone.maps.append(SimulatedZone.Map(region: region, portset: portset, parents: parents))
        }
        for kind in Kind.allCases {
            guard let name = StreamName(kind.name) else { continue }
            var candidates = Self.candidates
            candidates.shuffle(using: &random)
            zone.streams.append(
                SimulatedZone.Stream(name: name, portset: portset, candidates: candidates, policy: kind.policy))
        }
    }

    func index(of name: String) -> Int? { hosts.firstIndex { $0.name == name } }

    /// The configuration of a host: as in production, but with little memory.
    func configuration(of host: Int) -> RelayConfiguration {
        var configuration = RelayConfiguration(
            name: hosts[host].name, role: hosts[host].role, region: hosts[host].region)
        configuration.packetsMax = 1_024
        configuration.controlBytesMax = 1 << 16
        configuration.lookUpsMax = 64
        return configuration
    }

    private func indices(_ role: NodeRole) -> [Int] { hosts.indices.filter { hosts[$0].role == role } }

    private mutating func add(_ name: String, _ role: NodeRole, _ region: RegionID?) {
        let endpoint = NodeAddress.endpoint(hosts.count)
        hosts.append(Host(name: name, role: role, region: region, endpoint: endpoint))
        zone.hosts.append(SimulatedZone.Host(name: name, endpoint: endpoint))
        zone.parts[name] = NodeListing.Part(role: role, region: region)
    }
}
