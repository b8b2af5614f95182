/// Writes one reply into the caller's buffer: header, the question as received, RRsets, OPT.
struct ReplyWriter {
    private let base: UnsafeMutablePointer<UInt8>
    /// Offset of the first byte that records may not use.
    private let limit: Int
    /// Length of the question's name in bytes.
    private let nameLength: Int
    private(set) var position: Int
    private var answers: UInt16 = 0
    private var authorities: UInt16 = 0
    private var additionals: UInt16 = 0
    private(set) var isTruncated = false
    /// Identifies the answer for the rate limiter: the last RRset and its zone, 1 for generated text, or 0 if the reply
    /// has no records.
    private(set) var subject: UInt64 = 0
    /// The extended error to put into the OPT record of an error reply.
    var extendedError: ExtendedError?

    /// Copies the header and the question.
    /// - Parameter limit: maximum size in bytes of everything but the OPT record.
    @inline(__always) init(
        _ base: UnsafeMutablePointer<UInt8>, limit: Int, question: UnsafePointer<UInt8>, questionEnd: Int
    ) {
        self.base = base
        self.limit = limit
        base.update(from: question, count: questionEnd)
        position = questionEnd
        nameLength = questionEnd &- 16
    }

    var bytes: UnsafePointer<UInt8> { UnsafePointer(base) }

    /// Appends an RRset. Additional records that don't fit are left out; if other records don't fit, the reply is
    /// truncated.
    /// - Parameters:
    ///   - ttl: TTL of the winning rule, for RRsets that have no TTL of their own.
    ///   - owner: offset in the reply of the name that owns the records: 12 for the question's name, otherwise the
    ///     offset of a CNAME's target.
    ///   - ownerLength: the owner's length in bytes if it is not the question's name.
    @inline(__always) mutating func append(
        _ number: UInt32, of zone: UnsafePointer<ZoneView>, ttl: UInt32, owner: Int = 12,
        ownerLength: Int = 0
    ) {
        let rrset = zone.pointee.rrsets[Int(number)]
        subject = zone.pointee.zoneHash &+ UInt64(number)
        var length = Int(rrset.fullLength)
        var patches = Int(rrset.fullPatchCount)
        let isWhole = position &+ length <= limit
        if !isWhole {
            length = Int(rrset.length)
            patches = Int(rrset.patchCount)
            guard !rrset.needsAdditionals, position &+ length <= limit else {
                isTruncated = true
                return
            }
        }
        let ownerEnd = owner == 12 ? 12 &+ nameLength : owner &+ ownerLength
        let start = base + position
        start.update(from: zone.pointee.bytes + Int(rrset.offset), count: length)
        var patch = zone.pointee.patches + Int(rrset.firstPatch)
        let end = patch + patches
        while patch < end {
            let place = start + Int(patch.pointee.offset)
            switch patch.pointee.kind {
            case Patch.Kind.ttl:
                store16(place, UInt16(truncatingIfNeeded: ttl >> 16))
                store16(place + 2, UInt16(truncatingIfNeeded: ttl))
            case Patch.Kind.suffix:
                store16(place, 0xc000 | UInt16(truncatingIfNeeded: ownerEnd &- Int(load16(place))))
            default:
                store16(place, 0xc000 | UInt16(truncatingIfNeeded: position &+ Int(load16(place))))
            }
            patch += 1
        }
        if owner != 12 { setOwner(from: position, records: Int(rrset.answers), owner: owner) }
        position &+= length
        answers &+= rrset.answers
        authorities &+= rrset.authorities
        if isWhole { additionals &+= rrset.additionals }
    }

    /// Points the owners of answer records at the target of a CNAME instead of the question.
    private func setOwner(from start: Int, records: Int, owner: Int) {
        var record = start
        for _ in 0..<records {
            store16(base + record, 0xc000 | UInt16(truncatingIfNeeded: owner))
            record &+= 12 &+ Int(load16(base + record + 10))
        }
    }

    // MARK: Generated text

    /// Appends a TXT record with TTL 0 for the question; `write` writes its strings.
    mutating func text(recordClass: UInt16, _ write: (inout TextWriter) -> Void) {
        guard position &+ 12 <= limit else { return isTruncated = true }
        var writer = TextWriter(base, from: position &+ 12, limit: limit)
        write(&writer)
        guard !writer.isFull else { return isTruncated = true }
        store16(base + position, 0xc00c)
        store16(base + position + 2, RecordType.txt)
        store16(base + position + 4, recordClass)
        store16(base + position + 6, 0)
        store16(base + position + 8, 0)
        store16(base + position + 10, UInt16(truncatingIfNeeded: writer.position &- position &- 12))
        position = writer.position
        answers &+= 1
        subject = 1
    }

    // MARK: End

    /// Leaves all records out, so that the client retries over TCP.
    mutating func truncate() { isTruncated = true }

    /// Writes the OPT record if the query had one, and the header. Returns the reply's length.
    @inline(__always) mutating func finish(
        _ query: Query, rcode: UInt16, isAuthoritative: Bool, _ options: ReplyOptions
    ) -> Int {
        if isTruncated {
            position = query.questionEnd
            (answers, authorities, additionals) = (0, 0, 0)
        }
        if query.hasEDNS { appendOPT(query, rcode: rcode, options) }
        // Only opcode and RD are copied from the query (RFC 1035 §4.1.1). CD is cleared (RFC 4035 §3.1.6).
        var flags = 0x8000 | (query.flags & 0x7900) | (rcode & 15)
        if isAuthoritative { flags |= 0x0400 }
        if isTruncated { flags |= 0x0200 }
        store16(base + 2, flags)
        store16(base + 4, query.questionEnd > 12 ? 1 : 0)
        store16(base + 6, answers)
        store16(base + 8, authorities)
        store16(base + 10, additionals)
        return position
    }

    /// Where the next record is written.
    @inline(__always) var end: UnsafeMutablePointer<UInt8> { base + position }

    @inline(__always) mutating func didAppendOPT(length: Int) {
        position &+= length
        additionals &+= 1
    }
}

@inline(__always) func store16(_ place: UnsafeMutablePointer<UInt8>, _ value: UInt16) {
    place[0] = UInt8(truncatingIfNeeded: value >> 8)
    place[1] = UInt8(truncatingIfNeeded: value)
}

@inline(__always) func load16(_ bytes: UnsafeMutablePointer<UInt8>) -> UInt16 { load16(UnsafePointer(bytes)) }
