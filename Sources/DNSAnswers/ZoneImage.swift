import ReflectorModel

/// One zone of one generation, ready to answer queries. It is immutable and shared by all loops; its size depends on
/// the number of rules, not of names.
public final class ZoneImage: Sendable {
    /// Why content can't be served. The zone compiler finds all of these earlier, and reports their lines.
    public enum Invalid: Error, Equatable {
        /// The zone's name is not a domain name.
        case zoneName
        /// There is no SOA at the apex, or its data is too short.
        case startOfAuthority
        /// More than 2³² bytes of records, or an RRset that does not fit into a message.
        case tooLarge
    }

    /// Maximum size of one RRset in bytes, counting 12 bytes for each record's header. An RRset of this size fits into
    /// every answer over TCP.
    public static let answerBytesMax = PrecompiledRRset.lengthMax

    /// Zone name without the final dot, lower case.
    public let zone: String
    public let serial: UInt32
    public let ruleCount: Int

    let zoneName: [UInt8]
    private let names: NameTable
    private let nodes: FlatArray<NameNode>
    private let sets: FlatArray<StoredSet>
    private let tables: RuleTables
    private let rrsets: FlatArray<PrecompiledRRset>
    private let patches: FlatArray<Patch>
    private let bytes: FlatArray<UInt8>
    private let setNames: FlatArray<TextReference>
    private let setStateTexts: FlatArray<StringsReference>
    private let firstSetRRset: UInt32
    private let firstRootRRset: UInt32
    private let negative: UInt32

    /// - Parameters:
    ///   - content: a checked zone.
    ///   - serial: serial of this generation, for the SOA and every TXT.
    ///   - other: an image of the same files, from which `content` differs only in host states. The new image uses
    ///     the rule index of `other`, by far the largest part of an image.
    public init(_ content: ZoneContent, serial: UInt32, sharing other: ZoneImage? = nil) throws(Invalid) {
        let tables: RuleTables
        if let other, other.ruleCount == content.rules.count,
            other.tables.map.setRegionCount == content.setRegions.count
        {
            tables = other.tables
        } else {
            tables = RuleTables(content)
        }
        let built = try ZoneImageBuilder.build(content, serial: serial, tables: tables)
        self.tables = tables
        zone = content.zone
        self.serial = serial
        ruleCount = content.rules.count
        zoneName = built.zoneName
        names = NameTable(built.names)
        nodes = FlatArray(built.nodes)
        sets = FlatArray(built.sets)
        rrsets = FlatArray(built.arena.rrsets)
        patches = FlatArray(built.arena.patches)
        bytes = FlatArray(built.arena.bytes)
        setNames = FlatArray(built.setNames)
        setStateTexts = FlatArray(built.setStateTexts)
        firstSetRRset = built.firstSetRRset
        firstRootRRset = built.firstRootRRset
        negative = built.negative
    }

    /// Index in `ZoneContent.rules` of the `map` line that wins for a region: the last one that matches. Nil if none
    /// matches or the region is neither a declared edge region nor a set region's id.
    public func winningRule(portset: PortsetID, region: RegionID) -> Int? {
        tables.map.winner(portset: portset, region: region)
    }

    /// Number of nodes of the rule index, a measure of its memory (20 bytes each).
    public var ruleIndexNodeCount: Int { tables.map.nodes.count }

    /// Size of all tables in bytes: the memory of this generation.
    public var byteCount: Int {
        names.slots.byteCount + names.names.byteCount + nodes.byteCount + sets.byteCount + tables.byteCount
            + rrsets.byteCount + patches.byteCount + bytes.byteCount + setNames.byteCount + setStateTexts.byteCount
    }

    /// The set regions of a root set.
    func rootSets(_ number: UInt32) -> [Int] { tables.map.rootSets[Int(number)] }

    /// The image as the query path reads it. Valid as long as the image exists.
    var view: ZoneView {
        ZoneView(
            names: names.view, nodes: nodes.base, sets: sets.base,
            index: tables.map.view, rules: tables.rules.base, ruleCount: tables.rules.count, ruleText: tables.text.base,
            rrsets: rrsets.base, patches: patches.base,
            bytes: bytes.base, setNames: setNames.base, setStateTexts: setStateTexts.base,
            firstSetRRset: firstSetRRset,
            firstRootRRset: firstRootRRset, negative: negative, zoneLength: zoneName.count,
            zoneHash: WireName.hash(zoneName),
            defaultPortset: tables.defaultPortset, serial: serial)
    }
}
