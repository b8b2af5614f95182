import ReflectorModel

/// A small zone and its name server: what the simulated nodes look up. Edits and outages are its faults.
struct SimulatedZone {
    struct Host: Equatable {
        var name: String
        var endpoint: Endpoint
    }

    struct Stream: Equatable {
        var name: StreamName
        var portset: PortsetID
        /// Hosts of the candidate entrypoints, best first.
        var candidates: [String]
    }

    /// Rule: the set regions that serve a region for a portset, n1 n2 n3.
    struct Map: Equatable {
        var region: RegionID
        var portset: PortsetID
        var parents: [RegionID]
    }

    private(set) var serial: UInt32 = 1
    var ttlSeconds: UInt32
    var hosts: [Host]
    /// Hosts of each set region.
    var setRegions: [(id: RegionID, hosts: [String])]
    var maps: [Map]
    var streams: [Stream]
    /// What each host is.
    var parts: [String: NodeListing.Part] = [:]
    /// Nobody answers.
    var isDown = false

    /// Replaces the parents of a region for a portset.
    mutating func edit(_ region: RegionID, _ portset: PortsetID, parents: [RegionID]) {
        guard let index = maps.firstIndex(where: { $0.region == region && $0.portset == portset }) else { return }
        maps[index].parents = parents
        serial += 1
    }

    func parents(of region: RegionID, _ portset: PortsetID) -> [RegionID] {
        maps.first { $0.region == region && $0.portset == portset }?.parents ?? []
    }

    /// Names of the hosts of the set regions that may serve a region for a portset.
    func hosts(serving region: RegionID, _ portset: PortsetID) -> [String] {
        parents(of: region, portset).flatMap { id in setRegions.first { $0.id == id }?.hosts ?? [] }
    }

    func answer(_ name: ReflectorName) -> LookUpResult {
        switch name {
        case .parents(let rank, let region, let portset?):
            let parents = parents(of: region, portset)
            guard Int(rank.rawValue) <= parents.count,
                let set = setRegions.first(where: { $0.id == parents[Int(rank.rawValue) - 1] })
            else { return .noSuchName(serial: serial) }
            return records(set.hosts, text: ["serial=\(serial)", "set=\(set.id)"])
        case .parents: return .noSuchName(serial: serial)
        case .rootSets, .announceTargets: return records(rootHosts)
        case .node(let host):
            return parts[host].map { records([host], text: ["\($0)"]) } ?? .noSuchName(serial: serial)
        case .candidates(let stream):
            guard let known = streams.first(where: { $0.name == stream }) else { return .noSuchName(serial: serial) }
            return records(known.candidates, isOrdered: true, portset: known.portset)
        }
    }

    /// Hosts of the set regions that have no parents themselves.
    private var rootHosts: [String] {
        setRegions.filter { set in !maps.contains { $0.region == set.id } }.flatMap(\.hosts)
    }

    private func records(
        _ names: [String], isOrdered: Bool = false, text: [String] = [], portset: PortsetID? = nil
    ) -> LookUpResult {
        let resolved = names.enumerated().compactMap { place, name in
            hosts.first { $0.name == name }.map {
                ResolvedHost(
                    name: name, endpoint: $0.endpoint, priority: isOrdered ? UInt16(place) : 0, weight: 100)
            }
        }
        guard !resolved.isEmpty else { return .noData(serial: serial) }
        return .records(
            LookUpAnswer(hosts: resolved, ttlSeconds: ttlSeconds, text: text, serial: serial, portset: portset))
    }
}
