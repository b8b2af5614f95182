import ReflectorModel

/// The name server of a simulation: a table of answers that scenarios fill and edit. Names that are not in the table do
/// not exist.
struct SimulatedNames {
    /// Serial of the zone, which the answer "no such name" carries.
    var serial: UInt32 = 1
    /// Only looked up by name, never enumerated: a dictionary's order differs between processes.
    var answers: [ReflectorName: LookUpResult] = [:]

    func answer(_ name: ReflectorName) -> LookUpResult { answers[name] ?? .noSuchName(serial: serial) }

    /// Sets the answer to a name: nodes of equal priority.
    mutating func set(
        _ name: ReflectorName, to nodes: [VirtualNode], portset: PortsetID? = nil, ttlSeconds: UInt32 = 20
    ) {
        let hosts = nodes.map { ResolvedHost(name: $0.name, endpoint: $0.endpoint, priority: 0, weight: 1) }
        answers[name] = .records(
            LookUpAnswer(hosts: hosts, ttlSeconds: ttlSeconds, serial: serial, portset: portset))
    }

    /// Makes a name exist without records.
    mutating func setEmpty(_ name: ReflectorName) { answers[name] = .noData(serial: serial) }

    /// Sets the parents of a region, one for each rank. The names of the other ranks exist and have no records.
    mutating func setParents(
        _ parents: [VirtualNode], of region: RegionID, for portset: PortsetID, ttlSeconds: UInt32 = 20
    ) {
        for (place, rank) in ParentRank.allCases.enumerated() {
            // The parents of the default portset are the same.
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
