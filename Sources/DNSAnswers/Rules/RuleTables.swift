import ReflectorModel

/// The part of a zone image that depends only on the `map` lines. All images of one generation of the files share it,
/// so that it is not rebuilt when a host dies or is drained.
final class RuleTables: Sendable {
    let map: RuleMap
    let rules: FlatArray<RuleEntry>
    /// The source positions of the rules.
    let text: FlatArray<UInt8>
    let defaultPortset: UInt16

    init(_ content: ZoneContent) {
        map = RuleMap(content)
        var text: [UInt8] = []
        rules = FlatArray(content.rules.map { RuleEntry($0, in: content, text: &text) })
        self.text = FlatArray(text)
        defaultPortset = content.defaults.portset.rawValue
    }

    var byteCount: Int { map.byteCount + rules.byteCount + text.byteCount }
}

extension RuleEntry {
    fileprivate init(_ rule: ZoneContent.Rule, in content: ZoneContent, text: inout [UInt8]) {
        let source = Array(rule.source.description.utf8.prefix(255))
        let reference = TextReference(offset: UInt32(truncatingIfNeeded: text.count), length: UInt8(source.count))
        text += source
        let parents = rule.parents.prefix(3).map { UInt32($0) }
        self.init(
            ttl: rule.ttl, parentCount: UInt8(parents.count),
            parents: (parents.first ?? 0, parents.dropFirst().first ?? 0, parents.dropFirst(2).first ?? 0),
            source: reference, portsetLower: rule.portsets.lowerBound, portsetUpper: rule.portsets.upperBound,
            regionLower: 0, regionUpper: .max, isForSetRegion: false)
        if rule.takesParentsAway {
            let none = UInt32(content.setRegions.count)
            (parentCount, self.parents) = (3, (none, none, none))
        }
        switch rule.regions {
        case .allEdge: break
        case .edge(let ids): (regionLower, regionUpper) = (ids.lowerBound, ids.upperBound)
        case .setRegion(let set):
            isForSetRegion = true
            // A set region without an id can't be queried, so it gets an empty range.
            let id = content.setRegions[set].id?.rawValue
            (regionLower, regionUpper) = id.map { ($0, $0) } ?? (1, 0)
        }
    }
}
