import IdentityKeys
import ReflectorModel
import RelayCore

/// The configuration of a node: its name, its zone, the name servers to query and its identity. The node looks up
/// everything else (design §4).
public struct NodeConfiguration: Sendable {
    /// Host name relative to the zone.
    public var name: String
    public var role: NodeRole
    public var region: RegionID?
    /// The other members of an edge's region or of a set region.
    public var neighbours: [RegionNeighbour] = []
    /// Nil if the members send each other copies.
    public var lan: LANFeedConfiguration?
    public var zone: String
    /// Authoritative servers to query; two or more are best.
    public var servers: [Endpoint]
    /// Where the relay protocol listens; nil means the host's own address in the zone, at `port`.
    public var listen: Endpoint?
    public var port: UInt16 = 4_900
    /// Directory of the last good answers; if it is nil, no answers survive a restart.
    public var stateDirectory: String?
    /// Its own key and certificate, and the operators whom it obeys.
    public var identity: IdentityFolder
    /// An encoder that is silent for this long counts as lost, and another entrypoint may lead its stream.
    public var encoderTimeout: TimeSpan = .seconds(2)
    public var playOutDeadline: TimeSpan = .milliseconds(500)
    /// Largest egress in bits a second; 0 means no limit.
    public var capacity: UInt64 = 0
    /// Maximum number of packets kept for retransmission and preburst, for all streams together.
    public var packetsMax = 49_152

    public init(
        name: String, role: NodeRole, region: RegionID?, zone: String, servers: [Endpoint], identity: IdentityFolder
    ) {
        self.name = name
        self.role = role
        self.region = region
        self.zone = zone
        self.servers = servers
        self.identity = identity
    }

    var relay: RelayConfigurationSource { RelayConfigurationSource(self) }
}
