import DNSAnswers
import NodeIdentity
import ReflectorModel

/// What a zone's files say that each host is, as certificates say it: a member of a set region is a set reflector, a host
/// of a region line an edge, a host of a stream line an entrypoint, a host of an NS record a name server.
public struct ZonePlaces: Sendable {
    /// A role and the region that goes with it.
    public struct Place: Sendable, Hashable, CustomStringConvertible {
        public var role: CertifiedRole
        public var region: CertifiedRegion

        public init(role: CertifiedRole, region: CertifiedRegion) {
            self.role = role
            self.region = region
        }

        public var description: String { region == .none ? "\(role)" : "\(role) of \(region)" }
    }

    public let zone: String
    /// Hosts in order of their first mention.
    public private(set) var hosts: [String] = []
    private var places: [String: [Place]] = [:]

    public init(_ content: ZoneContent) {
        zone = content.zone
        for host in NetworkPlan.nameServers(of: content) { add(host.name, .nameServer, .none) }
        for rule in content.streams {
            for index in rule.entrypoints { add(content.hosts[index].name, .entrypoint, .none) }
        }
        var sets: [String: [String]] = [:]
        for region in content.setRegions {
            for member in region.members { sets[content.hosts[member.host].name, default: []].append(region.name) }
        }
        for region in content.setRegions {
            for member in region.members {
                let name = content.hosts[member.host].name
                // Of several set regions, its certificate names none: it may act as a member of each.
                add(name, .set, (sets[name]?.count ?? 0) == 1 ? .set(region.name) : .none)
            }
        }
        for regions in content.edgeRegions {
            for index in regions.hosts {
                add(content.hosts[index].name, .edge, .edge(RegionID(regions.ids.lowerBound)))
            }
        }
    }

    /// Every place of a host; empty if the zone does not list it.
    public func places(of host: String) -> [Place] { places[host] ?? [] }

    private mutating func add(_ host: String, _ role: CertifiedRole, _ region: CertifiedRegion) {
        let place = Place(role: role, region: region)
        if places[host] == nil { hosts.append(host) }
        if places[host]?.contains(place) != true { places[host, default: []].append(place) }
    }
}
