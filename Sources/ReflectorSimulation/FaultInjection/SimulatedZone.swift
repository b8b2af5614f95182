import ReflectorModel

/// The small zone that the simulated nodes look up. Faults edit it and stop its name server.
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
        /// How the candidates share the work.
        var policy = StreamPolicy(isPull: false)
        /// The candidate that an operator has put first.
        var pinned: String?
        /// Candidates that an operator has left out.
        var barred: [String] = []

        /// The candidates in the order in which the name server names them.
        var ordered: [String] {
            let open = candidates.filter { !barred.contains($0) }
            guard let pinned, open.contains(pinned) else { return open }
            return [pinned] + open.filter { $0 != pinned }
        }

        /// The strings of the TXT record.
        var text: [String] {
            var text = policy.text
            if let pinned { text.append("pin=\(pinned)") }
            if !barred.isEmpty { text.append("barred=\(barred.joined(separator: ","))") }
            return text
        }
    }

    /// A rule: the set regions that serve a region for a portset, as n1, n2, n3.
    struct Map: Equatable {
        var region: RegionID
        var portset: PortsetID
        var parents: [RegionID]
    }

    private(set) var serial: UInt32 = 1
    var ttlSeconds: UInt32
    var hosts: [Host]
    /// The set regions and their hosts.
    var setRegions: [(id: RegionID, hosts: [String])]
    var maps: [Map]
    var streams: [Stream]
    /// Role and region of each host.
    var parts: [String: NodeListing.Part] = [:]
    /// Names of the insiders, which are hosts outside the zone. The name server also tells them where to announce:
    /// otherwise they could not attack.
    var insiders: [String] = []
    /// The name server does not answer.
    var isDown = false

    /// Replaces the parents of a region for a portset.
    mutating func edit(_ region: RegionID, _ portset: PortsetID, parents: [RegionID]) {
        guard let index = maps.firstIndex(where: { $0.region == region && $0.portset == portset }) else { return }
        maps[index].parents = parents
        serial += 1
    }

    /// Changes the candidates of a stream.
    mutating func edit(stream: Int, _ change: (inout Stream) -> Void) {
        change(&streams[stream])
        serial += 1
    }

    func parents(of region: RegionID, _ portset: PortsetID) -> [RegionID] {
        maps.first { $0.region == region && $0.portset == portset }?.parents ?? []
    }

    /// Names of the hosts of the set regions that may serve a region for a portset.
    func hosts(serving region: RegionID, _ portset: PortsetID) -> [String] {
        parents(of: region, portset).flatMap { id in setRegions.first { $0.id == id }?.hosts ?? [] }
    }

    /// The answers to all names of the zone.
    var names: SimulatedNames {
        var names = SimulatedNames(serial: serial)
        for map in maps {
            for (rank, parent) in zip(ParentRank.allCases, map.parents) {
                guard let set = setRegions.first(where: { $0.id == parent }) else { continue }
                names.answers[.parents(rank, map.region, map.portset)] = records(
                    set.hosts, text: ["serial=\(serial)", "set=\(set.id)"])
            }
        }
        for stream in streams {
            names.answers[.candidates(stream.name)] = records(
                stream.ordered, isOrdered: true, text: stream.text, portset: stream.portset)
            names.answers[.rootSets(stream.portset)] = records(rootHosts)
        }
        for host in hosts {
            guard let part = parts[host.name] else { continue }
            names.answers[.node(host: host.name)] = records([host.name], text: ["\(part)"])
            names.answers[.announceTargets(host: host.name)] = records(rootHosts)
        }
        for insider in insiders { names.answers[.announceTargets(host: insider)] = records(rootHosts) }
        return names
    }

    /// Hosts of the root set regions, which have no parents.
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
