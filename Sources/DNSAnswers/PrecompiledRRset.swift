/// A precompiled part of an answer: the records of one RRset (or referral, or SOA of a negative answer) in wire form,
/// with their additional records. A query copies it after the question and applies its few `Patch`es.
struct PrecompiledRRset: BitwiseCopyable {
    /// Maximum length in bytes: with header, question and OPT, a message still fits into 65,535 bytes.
    static let lengthMax = 65_535 - 12 - 259 - 300

    var offset: UInt32
    /// Length in bytes without the additional section; `fullLength` includes it.
    var length: UInt32
    var fullLength: UInt32
    var firstPatch: UInt32
    /// Number of patches without those of the additional section; `fullPatchCount` includes them.
    var patchCount: UInt16
    var fullPatchCount: UInt16
    var answers: UInt16
    var authorities: UInt16
    var additionals: UInt16
    /// True if the additional records are glue: if they do not fit, the answer is truncated (RFC 9471 §3.1).
    var needsAdditionals: Bool
}

/// A place in an RRset that depends on the question or on the rule that won.
struct Patch: BitwiseCopyable {
    enum Kind {
        /// The 32-bit TTL of the winning rule.
        static let ttl: UInt16 = 0
        /// A compression pointer to a suffix of the question; the placeholder holds the suffix's length in bytes.
        static let suffix: UInt16 = 1
        /// A compression pointer into this RRset; the placeholder holds the offset.
        static let local: UInt16 = 2
    }

    var offset: UInt16
    var kind: UInt16
}

/// All RRsets of an image while it is built.
struct RRsetArena {
    /// PrecompiledRRset 0 has no records.
    static let empty: UInt32 = 0

    private(set) var bytes: [UInt8] = []
    private(set) var patches: [Patch] = []
    private(set) var rrsets: [PrecompiledRRset] = []
    /// True if a record that an answer needs did not fit.
    private(set) var isCut = false

    init() { _ = add { _ in } }

    mutating func add(_ write: (inout RRsetWriter) -> Void) -> UInt32 {
        var writer = RRsetWriter()
        write(&writer)
        if writer.isCut { isCut = true }
        rrsets.append(writer.rrset(offset: UInt32(bytes.count), firstPatch: UInt32(patches.count)))
        bytes += writer.bytes
        patches += writer.patches
        return UInt32(rrsets.count - 1)
    }

    /// Stores other bytes next to the RRsets. Returns their offset.
    mutating func append(_ other: [UInt8]) -> UInt32 {
        bytes += other
        return UInt32(bytes.count - other.count)
    }
}

/// Writes the records of one RRset. A record that would make it longer than `PrecompiledRRset.lengthMax` is left out.
struct RRsetWriter {
    enum Owner {
        /// The query name.
        case question
        /// The last `length` bytes of the query name.
        case suffix(length: Int)
        /// A name in the data of an earlier record of this RRset.
        case local(offset: Int)
    }

    enum TTL {
        case fixed(UInt32)
        case ofRule
    }

    enum Section { case answer, authority, additional }

    private(set) var bytes: [UInt8] = []
    private(set) var patches: [Patch] = []
    /// True if an answer or authority record was left out.
    private(set) var isCut = false
    /// True if the answer is useless without the glue in its additional section.
    var needsAdditionals = false
    private var counts: (answer: UInt16, authority: UInt16, additional: UInt16) = (0, 0, 0)
    private var mandatory: (length: Int, patches: Int)?

    /// Appends a record; additional records come last. Returns the offset of its data in the RRset, or nil if it did
    /// not fit.
    @discardableResult
    mutating func record(
        _ section: Section = .answer, owner: Owner = .question, type: UInt16, ttl: TTL, data: [UInt8]
    ) -> Int? {
        guard bytes.count + 12 + data.count <= PrecompiledRRset.lengthMax, data.count <= 65_535 else {
            if section != .additional { isCut = true }
            return nil
        }
        if section == .additional, mandatory == nil { mandatory = (bytes.count, patches.count) }
        switch owner {
        case .question: append16(0xc00c)
        case .suffix(let length):
            patches.append(Patch(offset: UInt16(bytes.count), kind: Patch.Kind.suffix))
            append16(UInt16(length))
        case .local(let offset):
            // Pointers have 14 bits, and the bytes before the RRset use up part of the range that they can address.
            guard offset < 8_192 else { return nil }
            patches.append(Patch(offset: UInt16(bytes.count), kind: Patch.Kind.local))
            append16(UInt16(offset))
        }
        append16(type)
        append16(RecordClass.internet)
        switch ttl {
        case .fixed(let value):
            append16(UInt16(value >> 16))
            append16(UInt16(truncatingIfNeeded: value))
        case .ofRule:
            patches.append(Patch(offset: UInt16(bytes.count), kind: Patch.Kind.ttl))
            append16(0)
            append16(0)
        }
        append16(UInt16(data.count))
        bytes += data
        switch section {
        case .answer: counts.answer += 1
        case .authority: counts.authority += 1
        case .additional: counts.additional += 1
        }
        return bytes.count - data.count
    }

    func rrset(offset: UInt32, firstPatch: UInt32) -> PrecompiledRRset {
        PrecompiledRRset(
            offset: offset, length: UInt32(mandatory?.length ?? bytes.count), fullLength: UInt32(bytes.count),
            firstPatch: firstPatch, patchCount: UInt16(mandatory?.patches ?? patches.count),
            fullPatchCount: UInt16(patches.count), answers: counts.answer, authorities: counts.authority,
            additionals: counts.additional, needsAdditionals: needsAdditionals)
    }

    private mutating func append16(_ value: UInt16) {
        bytes.append(UInt8(value >> 8))
        bytes.append(UInt8(truncatingIfNeeded: value))
    }
}
