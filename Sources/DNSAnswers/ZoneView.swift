/// A stored name: a name of the zone file, `{host}.sets`, `{host}.nodes`, the name of a stream, or an empty
/// non-terminal between the apex and one of these.
struct NameNode: BitwiseCopyable {
    var firstSet: UInt32 = 0
    var setCount: UInt32 = 0
    /// Precompiled RRset of its CNAME, or 0.
    var alias: UInt32 = 0
    /// Precompiled RRset of the referral, or 0 if the name is not delegated.
    var referral: UInt32 = 0
    /// Precompiled RRset of what `explain` reports about it, or 0.
    var explanation: UInt32 = 0
    /// Node of the wildcard directly below it, or -1.
    var wildcard: Int32 = -1
    /// For the wildcard of a stream pattern: the node that answers a name that it matches and that begins with
    /// `ingest`, or -1.
    var ingest: Int32 = -1
}

/// One RRset of a node.
struct StoredSet: BitwiseCopyable {
    var type: UInt16
    var rrset: UInt32
}

/// Text of at most 255 bytes, in the image's bytes or, for the source position of a rule, in `RuleTables.text`.
struct TextReference: BitwiseCopyable {
    var offset: UInt32 = 0
    var length: UInt8 = 0
}

/// Character strings of a TXT record in wire form, in the image's bytes.
struct StringsReference: BitwiseCopyable {
    var offset: UInt32 = 0
    var length: UInt32 = 0
}

/// The data of a `map` line that answers need.
struct RuleEntry: BitwiseCopyable {
    var ttl: UInt32
    var parentCount: UInt8
    /// Set regions that are n1, n2, n3.
    var parents: (UInt32, UInt32, UInt32)
    /// `FILE:LINE`, in `RuleTables.text`.
    var source: TextReference
    var portsetLower: UInt16
    var portsetUpper: UInt16
    /// Regions that the line applies to: edge regions, or one set region.
    var regionLower: UInt32
    var regionUpper: UInt32
    var isForSetRegion: Bool

    @inline(__always) func parent(_ rank: Int) -> UInt32 {
        switch rank {
        case 1: parents.0
        case 2: parents.1
        default: parents.2
        }
    }
}

/// A zone image as the query path reads it: plain pointers into memory that the `ZoneImage` owns.
struct ZoneView {
    let names: NameTableView
    let nodes: UnsafePointer<NameNode>
    let sets: UnsafePointer<StoredSet>
    let index: RuleIndexView
    let rules: UnsafePointer<RuleEntry>
    let ruleCount: Int
    let ruleText: UnsafePointer<UInt8>
    let rrsets: UnsafePointer<PrecompiledRRset>
    let patches: UnsafePointer<Patch>
    let bytes: UnsafePointer<UInt8>
    /// Names of the set regions.
    let setNames: UnsafePointer<TextReference>
    /// States of the hosts of the set regions, for `explain`.
    let setStateTexts: UnsafePointer<StringsReference>
    /// The first set region's first RRset. Each set region has four RRsets: A, AAAA, SRV, TXT.
    let firstSetRRset: UInt32
    /// The first root set's first RRset. Each root set has three RRsets: A, AAAA, SRV.
    let firstRootRRset: UInt32
    /// RRset with the SOA for negative answers.
    let negative: UInt32
    let zoneLength: Int
    /// Hash of the apex's name.
    let zoneHash: UInt64
    let defaultPortset: UInt16
    let serial: UInt32

    /// The RRset of type `type` of a set of hosts. `first` is the first of its RRsets, whose order is A, AAAA, SRV and,
    /// if `hasText`, TXT.
    @inline(__always) func rrset(first: UInt32, type: UInt16, hasText: Bool) -> UInt32 {
        switch type {
        case RecordType.a: return first
        case RecordType.aaaa: return first + 1
        case RecordType.srv: return first + 2
        case RecordType.txt where hasText: return first + 3
        case RecordType.any:
            // One RRset is enough (RFC 8482 §4.1).
            for candidate in first..<first + 3 where rrsets[Int(candidate)].answers != 0 { return candidate }
            return RRsetArena.empty
        default: return RRsetArena.empty
        }
    }

    /// The RRset of a stored name that answers `type`, or `RRsetArena.empty`.
    @inline(__always) func rrset(node: NameNode, type: UInt16) -> UInt32 {
        var position = Int(node.firstSet)
        let end = position + Int(node.setCount)
        while position < end {
            if sets[position].type == type || type == RecordType.any { return sets[position].rrset }
            position += 1
        }
        return RRsetArena.empty
    }
}
