import ReflectorModel
import RelayCore

/// The hosts of a simulated election: three candidate entrypoints, one entrypoint that the zone does not name, three to
/// five set reflectors in two or three set regions, and two or three edges. The seed varies it.
struct ElectionTopology {
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

    private var list = SimulatedHosts()
    private(set) var zone: SimulatedZone

    var hosts: [SimulatedHosts.Host] { list.all }
    var entrypoints: [Int] { list.indices(.entrypoint) }
    var sets: [Int] { list.indices(.set) }
    var edges: [Int] { list.indices(.edge) }

    /// - Parameter setsCount: number of set reflectors; chosen by the seed if nil.
    init(_ random: inout SeededGenerator, setsCount: Int? = nil) {
        zone = SimulatedZone(
            ttlSeconds: UInt32(2 + random.next(below: 4)), hosts: [], setRegions: [], maps: [], streams: [])
        for name in Self.candidates { list.add(name, .entrypoint, nil, to: &zone) }
        // The zone has its address, but names it for no stream.
        list.add(Self.stranger, .entrypoint, nil, to: &zone)
        let regions = 2 + Int(random.next(below: 2))
        let count = setsCount ?? 3 + Int(random.next(below: 3))
        for number in 0..<regions { zone.setRegions.append((RegionID(UInt32(9_001 + number)), [])) }
        for number in 0..<count {
            let region = number % regions
            let name = "set-\(number + 1)"
            zone.setRegions[region].hosts.append(name)
            list.add(name, .set, zone.setRegions[region].id, to: &zone)
        }
        let portset = PortsetID(4_096)
        for number in 0..<2 + Int(random.next(below: 2)) {
            let region = RegionID(UInt32(1_001 + number))
            list.add("edge-\(number + 1)", .edge, region, to: &zone)
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

    func index(of name: String) -> Int? { list.index(of: name) }

    /// The configuration of a host: as in production, but with little memory.
    func configuration(of host: Int) -> RelayConfiguration {
        var configuration = list.configuration(of: host)
        configuration.packetsMax = 1_024
        return configuration
    }
}
