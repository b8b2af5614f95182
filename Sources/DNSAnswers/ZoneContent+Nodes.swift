import ReflectorModel

extension ZoneContent {
    /// What `{host}.nodes` publishes about one host: its roles in the network. Other nodes check the host's claims
    /// against them.
    public struct NodeEntry: Sendable, Equatable {
        /// Index in `hosts`.
        public var host: Int
        public var port: UInt16
        public var parts: [NodeListing.Part]
        /// The line that gives the host the first of `parts`.
        public var source: SourceLine
    }

    /// Maximum number of roles in an entry. A host with more roles gets no entry: if the entry were truncated, other
    /// nodes would refuse the roles that it left out.
    private static var partsMax: Int { 32 }

    /// Every host that a line gives a role, in order of first mention: set reflectors, then edge reflectors, then
    /// entrypoints.
    public var nodeEntries: [NodeEntry] {
        var entries: [NodeEntry] = []
        var numberOf: [Int: Int] = [:]
        func add(_ host: Int, _ part: NodeListing.Part, port: UInt16, _ source: SourceLine) {
            guard hosts.indices.contains(host) else { return }
            guard let known = numberOf[host] else {
                numberOf[host] = entries.count
                return entries.append(NodeEntry(host: host, port: port, parts: [part], source: source))
            }
            if !entries[known].parts.contains(part), entries[known].parts.count <= Self.partsMax {
                entries[known].parts.append(part)
            }
        }
        for region in setRegions {
            for member in region.members {
                add(member.host, .init(role: .set, region: region.id), port: member.port, region.source)
            }
        }
        for regions in edgeRegions {
            for host in regions.hosts {
                let part = NodeListing.Part(role: .edge, region: RegionID(regions.ids.lowerBound))
                add(host, part, port: defaults.port, regions.source)
            }
        }
        for stream in streams {
            for host in stream.entrypoints {
                add(host, .init(role: .entrypoint), port: defaults.port, stream.source)
            }
        }
        return entries.filter { $0.parts.count <= Self.partsMax }
    }
}
