import ReflectorModel

/// The name server of a simulation: a table of answers, which scenarios fill and edit. A name that is not in it does not
/// exist.
struct SimulatedNames {
    /// Serial of the zone, which the answer "no such name" carries.
    var serial: UInt32 = 1
    /// By name; only looked up, never enumerated.
    var answers: [ReflectorName: LookUpResult] = [:]

    func answer(_ name: ReflectorName) -> LookUpResult { answers[name] ?? .noSuchName(serial: serial) }

    /// Answers a name with some nodes, all of the same priority.
    mutating func set(
        _ name: ReflectorName, to nodes: [VirtualNode], portset: PortsetID? = nil, ttlSeconds: UInt32 = 20
    ) {
        let hosts = nodes.map { ResolvedHost(name: $0.name, endpoint: $0.endpoint, priority: 0, weight: 1) }
        answers[name] = .records(
            LookUpAnswer(hosts: hosts, ttlSeconds: ttlSeconds, serial: serial, portset: portset))
    }

    /// The name exists and has no records.
    mutating func setEmpty(_ name: ReflectorName) { answers[name] = .noData(serial: serial) }

    /// Says which node is the parent of each rank of a region; ranks without one exist and have no records.
    mutating func setParents(
        _ parents: [VirtualNode], of region: RegionID, for portset: PortsetID, ttlSeconds: UInt32 = 20
    ) {
        for (place, rank) in ParentRank.allCases.enumerated() {
            // A node asks for its stream's portset, and for the default where it knows none.
            for name in [ReflectorName.parents(rank, region, portset), .parents(rank, region, nil)] {
                if place < parents.count {
                    set(name, to: [parents[place]], ttlSeconds: ttlSeconds)
                } else {
                    setEmpty(name)
                }
            }
        }
    }
}
