/// Writes one reply into the caller's buffer: header, the question as it came, fragments, OPT.
struct ReplyWriter {
    private let base: UnsafeMutablePointer<UInt8>
    /// First byte that records may not use.
    private let limit: Int
    /// Bytes of the question's name.
    private let nameLength: Int
    private(set) var position: Int
    private var answers: UInt16 = 0
    private var authorities: UInt16 = 0
    private var additionals: UInt16 = 0
    private(set) var isTruncated = false

    /// Copies header and question.
    /// - Parameter limit: bytes for everything but the OPT record.
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

    /// Appends a fragment. Additional records that don't fit are left out; if others don't, the reply is truncated.
    /// - Parameters:
    ///   - ttl: of the winning rule, for fragments that have no TTL of their own.
    ///   - owner: where in the reply the name stands that these records belong to: 12, the question, or the target of a
    ///     CNAME; `ownerLength`: its bytes, if it is not the question.
    @inline(__always) mutating func append(
        _ number: UInt32, of zone: UnsafePointer<ZoneView>, ttl: UInt32, owner: Int = 12,
        ownerLength: Int = 0
    ) {
        let fragment = zone.pointee.fragments[Int(number)]
        var length = Int(fragment.fullLength)
        var patches = Int(fragment.fullPatchCount)
        let isWhole = position &+ length <= limit
        if !isWhole {
            length = Int(fragment.length)
            patches = Int(fragment.patchCount)
            guard !fragment.needsAdditionals, position &+ length <= limit else {
                isTruncated = true
                return
            }
        }
        let ownerEnd = owner == 12 ? 12 &+ nameLength : owner &+ ownerLength
        let start = base + position
        start.update(from: zone.pointee.bytes + Int(fragment.offset), count: length)
        var patch = zone.pointee.patches + Int(fragment.firstPatch)
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
        if owner != 12 { setOwner(from: position, records: Int(fragment.answers), owner: owner) }
        position &+= length
        answers &+= fragment.answers
        authorities &+= fragment.authorities
        if isWhole { additionals &+= fragment.additionals }
    }

    /// Points the owners of answer records at the target of a CNAME instead of the question.
    private func setOwner(from start: Int, records: Int, owner: Int) {
        var record = start
        for _ in 0..<records {
            store16(base + record, 0xc000 | UInt16(truncatingIfNeeded: owner))
            record &+= 12 &+ Int(load16(base + record + 10))
        }
    }

    // MARK: Text made on the spot

    /// Appends a TXT record of TTL 0 for the question, whose strings `write` makes.
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
    }

    // MARK: End

    /// Writes the OPT record if the query had one, and the header. Returns the reply's length.
    @inline(__always) mutating func finish(
        _ query: Query, message: UnsafePointer<UInt8>, rcode: UInt16, isAuthoritative: Bool,
        identity: UnsafePointer<UInt8>,
        identityLength: Int, udpSize: Int, questionEnd: Int
    ) -> Int {
        if isTruncated {
            position = questionEnd
            (answers, authorities, additionals) = (0, 0, 0)
        }
        if query.hasEDNS {
            appendOPT(
                query, message, rcode: rcode, identity: identity, identityLength: identityLength, udpSize: udpSize)
        }
        // Operation and RD come back as they were; CD is for resolvers (RFC 4035 §3.1.6).
        var flags = 0x8000 | (query.flags & 0x7900) | (rcode & 15)
        if isAuthoritative { flags |= 0x0400 }
        if isTruncated { flags |= 0x0200 }
        store16(base + 2, flags)
        store16(base + 4, questionEnd > 12 ? 1 : 0)
        store16(base + 6, answers)
        store16(base + 8, authorities)
        store16(base + 10, additionals)
        return position
    }

    @inline(__always) private mutating func appendOPT(
        _ query: Query, _ message: UnsafePointer<UInt8>, rcode: UInt16, identity: UnsafePointer<UInt8>,
        identityLength: Int, udpSize: Int
    ) {
        let record = base + position
        record[0] = 0
        store16(record + 1, RecordType.opt)
        store16(record + 3, UInt16(truncatingIfNeeded: udpSize))
        record[5] = UInt8(truncatingIfNeeded: rcode >> 4)
        record[6] = 0
        record[7] = query.dnssecOK ? 0x80 : 0
        record[8] = 0
        position &+= 11
        if query.wantsIdentity {
            store16(base + position, EDNSOption.identity)
            store16(base + position + 2, UInt16(truncatingIfNeeded: identityLength))
            (base + position + 4).update(from: identity, count: identityLength)
            position &+= 4 &+ identityLength
        }
        if query.subnetLength > 0 {
            // No answer depends on who asks: scope 0, which the query's own scope is already (RFC 7871 §7.2.1).
            store16(base + position, EDNSOption.clientSubnet)
            store16(base + position + 2, UInt16(truncatingIfNeeded: query.subnetLength))
            (base + position + 4).update(from: message + query.subnetOffset, count: query.subnetLength)
            position &+= 4 &+ query.subnetLength
        }
        store16(record + 9, UInt16(truncatingIfNeeded: (base + position) - record - 11))
        additionals &+= 1
    }

    /// Bytes that `finish` will need behind the records.
    @inline(__always) static func optLength(_ query: Query, identityLength: Int) -> Int {
        guard query.hasEDNS else { return 0 }
        return 11 &+ (query.wantsIdentity ? 4 &+ identityLength : 0)
            &+ (query.subnetLength > 0 ? 4 &+ query.subnetLength : 0)
    }
}

@inline(__always) func store16(_ place: UnsafeMutablePointer<UInt8>, _ value: UInt16) {
    place[0] = UInt8(truncatingIfNeeded: value >> 8)
    place[1] = UInt8(truncatingIfNeeded: value)
}

@inline(__always) func load16(_ bytes: UnsafeMutablePointer<UInt8>) -> UInt16 { load16(UnsafePointer(bytes)) }
