import ReflectorModel

/// The contents of the three files of `zones/`, checked and resolved, as plain values. The zone compiler creates it,
/// the zone image is built from it, and `diff`, `explain` and `export` read it. Its size depends on the number of
/// rules, not of names.
public struct ZoneContent: Sendable, Equatable, Codable {
    /// The source position of a definition: a file of the generation, and a line in it (from 1).
    public struct SourceLine: Sendable, Hashable, Codable {
        /// File name without its directory, such as `reflector.net.portsets`.
        public var file: String
        public var line: Int
        public init(file: String, line: Int) {
            self.file = file
            self.line = line
        }
    }

    /// A record of the `.zone` file, in wire form with the owner in lower case.
    public struct Record: Sendable, Equatable, Codable {
        /// Owner in uncompressed wire form, lower case, absolute.
        public var owner: [UInt8]
        public var type: UInt16
        public var ttl: UInt32
        /// RDATA in uncompressed wire form.
        public var data: [UInt8]
        public var source: SourceLine
        public init(owner: [UInt8], type: UInt16, ttl: UInt32, data: [UInt8], source: SourceLine) {
            self.owner = owner
            self.type = type
            self.ttl = ttl
            self.data = data
            self.source = source
        }
    }

    /// A host that a line of a sidecar (`.portsets` or `.streams`) names. Its addresses are the A and AAAA records in
    /// the zone.
    public struct Host: Sendable, Equatable, Codable {
        /// Relative to the zone, lower case: `nyc-1`.
        public var name: String
        public var addresses: [IPAddress]
        public init(name: String, addresses: [IPAddress]) {
            self.name = name
            self.addresses = addresses
        }
    }

    /// One set reflector of a set region.
    public struct Member: Sendable, Equatable, Codable {
        /// Index in `hosts`.
        public var host: Int
        public var port: UInt16
        /// Its health according to probes.
        public var health = Health.unprobed
        /// An operator's temporary override.
        public var override: Override?
        public init(host: Int, port: UInt16, health: Health = .unprobed, override: Override? = nil) {
            self.host = host
            self.port = port
            self.health = health
            self.override = override
        }
    }

    public struct SetRegion: Sendable, Equatable, Codable {
        public var name: String
        /// Its region id, if it has one; only a set region that has parents itself needs one.
        public var id: RegionID?
        public var members: [Member]
        /// Egress capacity of each host in bits per second; 0 if not given.
        public var capacity: UInt64
        public var site: String
        public var source: SourceLine
        /// What last changed the set's answer, such as `zone`, `health nyc-1 dead` or
        /// `override drain nyc-1 by alice: new kernel`.
        public var cause = "zone"
        /// Serial of that change; 0 means the serial of the generation.
        public var changedSerial: UInt32 = 0
        /// True if all of its hosts are drained or depooled, at least one of them is drained, and every `map` line that
        /// names it has another parent in service. Its answer then has no hosts, and its traffic moves to that parent.
        public var standsAside = false
        public init(name: String, id: RegionID?, members: [Member], capacity: UInt64, site: String, source: SourceLine)
        {
            self.name = name
            self.id = id
            self.members = members
            self.capacity = capacity
            self.site = site
            self.source = source
        }
    }

    /// A declared range of edge regions.
    public struct EdgeRegions: Sendable, Equatable, Codable {
        public var ids: ClosedRange<UInt32>
        public var name: String
        /// Edge reflectors of the region, as indices in `hosts` (from `hosts=`, which is allowed only on a line that
        /// declares one region). In the DNS they appear only as `{host}.nodes`. `up`, `status` and `trace` use them
        /// too.
        public var hosts: [Int]
        public var source: SourceLine
        public init(ids: ClosedRange<UInt32>, name: String, hosts: [Int] = [], source: SourceLine) {
            self.ids = ids
            self.name = name
            self.hosts = hosts
            self.source = source
        }
    }

    /// The regions that a `map` line applies to.
    public enum RegionSelector: Sendable, Equatable, Codable {
        /// `r*`: all declared edge regions, never set regions.
        case allEdge
        /// `r1283` or `r1284-r1299`: the declared edge regions in this range.
        case edge(ClosedRange<UInt32>)
        /// A set region by name: index in `setRegions`.
        case setRegion(Int)
    }

    /// One `map` line. Of the lines that match, the last one in the file wins.
    public struct Rule: Sendable, Equatable, Codable {
        public var portsets: ClosedRange<UInt16>
        public var regions: RegionSelector
        /// Indices in `setRegions`, in the order n1 n2 n3; empty for `none`, which removes parents.
        public var parents: [Int]
        public var ttl: UInt32
        public var source: SourceLine
        /// The word in `map` lines and answers for the absence of parents. No set region may have this name.
        public static let none = "none"
        /// True for `none` on edge regions: n1, n2 and n3 then answer that there is no parent. A set region without
        /// parents, in contrast, has no such names, as if no line matched: it uses the entrypoint.
        public var takesParentsAway: Bool {
            if case .setRegion = regions { false } else { parents.isEmpty }
        }
        public init(
            portsets: ClosedRange<UInt16>, regions: RegionSelector, parents: [Int], ttl: UInt32, source: SourceLine
        ) {
            self.portsets = portsets
            self.regions = regions
            self.parents = parents
            self.ttl = ttl
            self.source = source
        }
    }

    public enum StreamPortset: Sendable, Equatable, Codable {
        case fixed(PortsetID)
        /// `hash(0-4095)`: the fixed hash of the stream's name selects the portset.
        case hashed(ClosedRange<UInt16>)
    }

    public enum Ingest: Sendable, Equatable, Codable {
        /// The encoder connects to an entrypoint.
        case push
        /// `pull=URL`: an entrypoint fetches the stream.
        case pull(url: String)
    }

    /// One `stream` line: an exact name, or a pattern whose last segment is `*`, which stands for one or more segments.
    public struct StreamRule: Sendable, Equatable, Codable {
        /// Segments before the `*`, or all segments of an exact name.
        public var segments: [String]
        public var isPattern: Bool
        public var portset: StreamPortset
        /// Indices in `hosts`, best first.
        public var entrypoints: [Int]
        public var ingest: Ingest
        /// `standby=`; nil for the default (`StreamPolicy`).
        public var standby: StreamPolicy.Standby?
        /// `pullers=`.
        public var pullers: StreamPolicy.Pullers
        /// `takeover` or `refuse`.
        public var secondEncoder: StreamPolicy.SecondEncoder
        /// `redirect`.
        public var redirects: Bool
        public var source: SourceLine
        public init(
            segments: [String], isPattern: Bool, portset: StreamPortset, entrypoints: [Int], ingest: Ingest,
            standby: StreamPolicy.Standby? = nil, pullers: StreamPolicy.Pullers = .one,
            secondEncoder: StreamPolicy.SecondEncoder = .refuse, redirects: Bool = false, source: SourceLine
        ) {
            self.segments = segments
            self.isPattern = isPattern
            self.portset = portset
            self.entrypoints = entrypoints
            self.ingest = ingest
            self.standby = standby
            self.pullers = pullers
            self.secondEncoder = secondEncoder
            self.redirects = redirects
            self.source = source
        }
    }

    public struct Defaults: Sendable, Equatable, Codable {
        public var portset: PortsetID
        public var port: UInt16
        public var ttl: UInt32
        /// The port of the SRV records at ingest names: where entrypoints accept HTTP push.
        public var ingestPort: UInt16
        public init(
            portset: PortsetID = PortsetID(0), port: UInt16 = 4900, ttl: UInt32 = 20, ingestPort: UInt16 = 8000
        ) {
            self.portset = portset
            self.port = port
            self.ttl = ttl
            self.ingestPort = ingestPort
        }
    }

    /// The revocation list that the zone publishes.
    public struct Revocations: Sendable, Equatable, Codable {
        /// Its sequence number: a newer list has a higher one.
        public var sequence: UInt64
        /// How many certificates it revokes.
        public var serials: Int
        public var source: SourceLine
        public init(sequence: UInt64, serials: Int, source: SourceLine) {
            self.sequence = sequence
            self.serials = serials
            self.source = source
        }
    }

    /// Zone name without the final dot, lower case: `reflector.net`.
    public var zone: String
    public var defaults: Defaults
    /// All records of the `.zone` file, including the SOA; behind them those that publish the revocation list.
    public var records: [Record]
    public var hosts: [Host]
    public var setRegions: [SetRegion]
    public var edgeRegions: [EdgeRegions]
    /// Rules in the order of the file.
    public var rules: [Rule]
    public var streams: [StreamRule]
    /// The list in `records`; nil if the zone has none.
    public var revocations: Revocations?
    /// Whether the health of members is known from probes.
    public var probing = Probing.off
    /// Who leads the streams, and what operators decided about their candidates.
    public var election = Election()
    /// Additional content of transfers, for resolvers that cache aliases of earlier generations; our own answers do not
    /// use it.
    public var outliving: Outliving?

    public init(
        zone: String, defaults: Defaults = Defaults(), records: [Record] = [], hosts: [Host] = [],
        setRegions: [SetRegion] = [], edgeRegions: [EdgeRegions] = [], rules: [Rule] = [], streams: [StreamRule] = []
    ) {
        self.zone = zone
        self.defaults = defaults
        self.records = records
        self.hosts = hosts
        self.setRegions = setRegions
        self.edgeRegions = edgeRegions
        self.rules = rules
        self.streams = streams
    }
}
