import ReflectorModel

/// One zone of one generation, ready to answer: immutable, shared by all loops, its size that of the rules and never
/// of the names.
public final class ZoneImage: Sendable {
    /// Why content can't be served. The zone compiler reports all of these at their lines first.
    public enum Invalid: Error, Equatable {
        /// The zone's name is no domain name.
        case zoneName
        /// There is no SOA at the apex, or its data is too short.
        case startOfAuthority
        /// More than 2³² bytes of records.
        case tooLarge
    }

    /// Zone name without the final dot, lower case.
    public let zone: String
    public let serial: UInt32
    public let ruleCount: Int

    let zoneName: [UInt8]
    private let names: NameTable
    private let nodes: FlatArray<NameNode>
    private let sets: FlatArray<StoredSet>
    private let declared: FlatArray<RuleIndex.Declared>
    private let treeNodes: FlatArray<RuleIndex.Node>
    private let classOf: FlatArray<UInt16>
    private let classes: FlatArray<RuleIndex.PortsetClass>
    private let setRegions: FlatArray<RuleIndex.SetRegionEntry>
    private let runs: FlatArray<RuleIndex.Run>
    private let rules: FlatArray<RuleEntry>
    private let fragments: FlatArray<Fragment>
    private let patches: FlatArray<Patch>
    private let bytes: FlatArray<UInt8>
    private let setNames: FlatArray<TextReference>
    private let rootSets: [[Int]]
    private let firstSetFragment: UInt32
    private let firstRootFragment: UInt32
    private let negative: UInt32
    private let defaultPortset: UInt16

    /// - Parameters:
    ///   - content: a checked zone.
    ///   - serial: of this generation; it stands in the SOA and in every TXT.
    public init(_ content: ZoneContent, serial: UInt32) throws(Invalid) {
        let built = try ZoneImageBuilder.build(content, serial: serial)
        zone = content.zone
        self.serial = serial
        ruleCount = content.rules.count
        zoneName = built.zoneName
        names = NameTable(built.names)
        nodes = FlatArray(built.nodes)
        sets = FlatArray(built.sets)
        declared = FlatArray(built.index.declared)
        treeNodes = FlatArray(built.index.nodes)
        classOf = FlatArray(built.index.classOf)
        classes = FlatArray(built.index.classes)
        setRegions = FlatArray(built.index.setRegions)
        runs = FlatArray(built.index.runs)
        rules = FlatArray(built.rules)
        fragments = FlatArray(built.arena.fragments)
        patches = FlatArray(built.arena.patches)
        bytes = FlatArray(built.arena.bytes)
        setNames = FlatArray(built.setNames)
        rootSets = built.index.rootSets
        firstSetFragment = built.firstSetFragment
        firstRootFragment = built.firstRootFragment
        negative = built.negative
        defaultPortset = content.defaults.portset.rawValue
    }

    /// Index in `ZoneContent.rules` of the `map` line that wins for a region, the last that matches. Nil if none
    /// does or the region is neither a declared edge region nor a set region's id.
    public func winningRule(portset: PortsetID, region: RegionID) -> Int? {
        let tag = view.index.winner(portset: portset.rawValue, region: region.rawValue)
        return tag == 0 ? nil : Int(tag) - 1
    }

    /// Nodes of the rule index, a measure of its memory (20 bytes each).
    public var ruleIndexNodeCount: Int { treeNodes.count }

    /// Bytes of all tables: what this generation holds in memory.
    public var byteCount: Int {
        names.slots.byteCount + names.names.byteCount + nodes.byteCount + sets.byteCount + declared.byteCount
            + treeNodes.byteCount + classOf.byteCount + classes.byteCount + setRegions.byteCount + runs.byteCount
            + rules.byteCount + fragments.byteCount + patches.byteCount + bytes.byteCount + setNames.byteCount
    }

    /// A set of root set regions, as ascending indices.
    func rootSets(_ number: UInt32) -> [Int] { rootSets[Int(number)] }

    /// Valid as long as the image is.
    var view: ZoneView {
        ZoneView(
            names: names.view, nodes: nodes.base, sets: sets.base,
            index: RuleIndexView(
                declared: declared.base, declaredCount: declared.count, nodes: treeNodes.base,
                classOf: classOf.base, classes: classes.base, setRegions: setRegions.base,
                setRegionCount: setRegions.count, runs: runs.base),
            rules: rules.base, ruleCount: rules.count, fragments: fragments.base, patches: patches.base,
            bytes: bytes.base, setNames: setNames.base, firstSetFragment: firstSetFragment,
            firstRootFragment: firstRootFragment, negative: negative, zoneLength: zoneName.count,
            zoneHash: WireName.hash(zoneName),
            defaultPortset: defaultPortset, serial: serial)
    }
}
