import DNSAnswers
import ReflectorModel

/// Warns of nodes that must communicate but have no common address family: an edge and all its parents, a set reflector
/// and all its parents, an entrypoint and all set reflectors. These are only warnings, since a host may be migrating to
/// the other family.
enum FamilyChecks {
    /// Maximum product of the numbers of `region` and `map` lines; a larger map is not checked.
    private static let pairsMax = 20_000_000

    /// The address families of one or more hosts. Link-local addresses do not count, since a zone can't name their
    /// interface.
    private struct Families: OptionSet {
        let rawValue: UInt8
        static let v4 = Families(rawValue: 1)
        static let v6 = Families(rawValue: 2)
        static let both: Families = [.v4, .v6]

        init(rawValue: UInt8) { self.rawValue = rawValue }

        init(_ host: ZoneContent.Host) {
            self = []
            for address in host.addresses where !address.isLinkLocal { insert(address.isV4 ? .v4 : .v6) }
        }

        var text: String { self == .v4 ? "IPv4" : self == .v6 ? "IPv6" : "both" }
    }

    /// - Parameter words: the keyword of each `map` line, at whose position a problem of the line is reported.
    static func run(_ content: ZoneContent, _ words: [Word], _ problems: inout ProblemList) {
        let families = content.hosts.map { Families($0) }
        let sets = content.setRegions.map { set in
            set.members.reduce(into: Families()) {
                if families.indices.contains($1.host) { $0.formUnion(families[$1.host]) }
            }
        }
        // There is nothing to report if each set region has addresses of both families, or none at all.
        guard sets.contains(where: { $0 != .both && !$0.isEmpty }),
            content.edgeRegions.count * content.rules.count <= pairsMax
        else { return }
        let parents = content.rules.map { rule in
            rule.parents.reduce(into: Families()) { if sets.indices.contains($1) { $0.formUnion(sets[$1]) } }
        }
        // Each family that is the only family of the parents of at least one line.
        let alone = parents.reduce(into: Families()) { if $1 != .both { $0.formUnion($1) } }
        func canBeCutOff(_ host: Int) -> Bool {
            guard families.indices.contains(host), !families[host].isEmpty else { return false }
            return families[host] != .both && !alone.isSubset(of: families[host])
        }
        var isReported: Set<Int> = []
        func check(_ hosts: [Int], winners: [Int]) {
            for index in winners where index >= 0 && !isReported.contains(index) {
                let own = parents[index]
                guard !own.isEmpty,
                    let host = hosts.first(where: {
                        families.indices.contains($0) && !families[$0].isEmpty && families[$0].isDisjoint(with: own)
                    })
                else { continue }
                isReported.insert(index)
                let names = content.rules[index].parents.map { content.setRegions[$0].name }.joined(separator: ", ")
                problems.warning(
                    words[index],
                    "\(content.hosts[host].name) has \(families[host].text) addresses only and its parents here "
                        + "(\(names)) \(own.text) only: it can fetch nothing from them; give one of them an address of "
                        + "the other family")
            }
        }
        // The index of a large map takes a second to build: build it only if a warning is possible.
        let regions = content.edgeRegions.filter { $0.hosts.contains(where: canBeCutOff) }
        if !regions.isEmpty {
            let map = RuleMap(content)
            for region in regions {
                check(region.hosts, winners: map.winners(region: RegionID(region.ids.lowerBound)))
            }
        }
        let children = content.setRegions.indices.filter { set in
            content.setRegions[set].members.contains { canBeCutOff($0.host) }
        }
        if !children.isEmpty {
            let map = RuleMap(setRegionsOf: content)
            for set in children {
                check(
                    content.setRegions[set].members.map(\.host),
                    winners: Set(map.runs(ofSetRegion: set).map(\.rule)).sorted())
            }
        }
    }

    /// Warns of each entrypoint that has no address family in common with any set reflector.
    static func run(
        entrypoints: [Int], of line: Word, _ content: ZoneContent, _ problems: inout ProblemList
    ) {
        guard !entrypoints.isEmpty else { return }
        let sets = content.setRegions.flatMap(\.members).reduce(into: Families()) {
            if content.hosts.indices.contains($1.host) { $0.formUnion(Families(content.hosts[$1.host])) }
        }
        guard !sets.isEmpty, sets != .both else { return }
        for host in entrypoints where content.hosts.indices.contains(host) {
            let own = Families(content.hosts[host])
            guard !own.isEmpty, own.isDisjoint(with: sets) else { continue }
            problems.warning(
                line,
                "\(content.hosts[host].name) has \(own.text) addresses only and every set reflector \(sets.text) only: "
                    + "no node can fetch from it; give one side an address of the other family")
        }
    }
}
