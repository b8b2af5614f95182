/// One record of the aliased form of a zone (design §4) in wire form, for exports and transfers.
public struct ZoneRecord: Sendable, Equatable {
    /// Uncompressed, absolute, lower case.
    public var owner: [UInt8]
    public var type: UInt16
    /// Seconds.
    public var ttl: UInt32
    /// RDATA in uncompressed wire form.
    public var data: [UInt8]
    /// Its position in the order of records, the same in every generation of the zone.
    var sortKey: SortKey

    init(_ sortKey: SortKey, owner: [UInt8], type: UInt16, ttl: UInt32, data: [UInt8]) {
        self.sortKey = sortKey
        self.owner = owner
        self.type = type
        self.ttl = ttl
        self.data = data
    }

    /// The parts of a zone, in the order of their records.
    enum Section: UInt8, Comparable, CaseIterable {
        /// Records of the `.zone` file, without the SOA.
        case file
        /// `{set}.parents`.
        case parents
        /// `s{P}`.
        case portsets
        /// `n{k}.r{R}.{class}.maps` and `sets.{class}.maps`.
        case classes
        /// `{union}.maps`: the hosts of root set regions.
        case unions
        /// `n{k}.r{R}`, for the default portset.
        case standard
        /// `{host}.sets`.
        case announceTargets
        case streams
        /// `{host}.nodes`.
        case nodes

        static func < (a: Section, b: Section) -> Bool { a.rawValue < b.rawValue }
    }

    /// Orders records without comparing names: by section, and then by numbers that have the same meaning in every
    /// generation.
    struct SortKey: Comparable, Hashable {
        var section: Section
        var major: UInt64 = 0
        var minor: UInt64 = 0

        static func < (a: SortKey, b: SortKey) -> Bool {
            if a.section != b.section { return a.section < b.section }
            return (a.major, a.minor) < (b.major, b.minor)
        }
    }
}

/// The order of records, by which two generations are compared record by record.
extension ZoneRecord: Comparable {
    public static func < (a: ZoneRecord, b: ZoneRecord) -> Bool {
        if a.sortKey != b.sortKey { return a.sortKey < b.sortKey }
        if a.owner != b.owner { return a.owner.lexicographicallyPrecedes(b.owner) }
        if a.type != b.type { return a.type < b.type }
        if a.data != b.data { return a.data.lexicographicallyPrecedes(b.data) }
        return a.ttl < b.ttl
    }
}
