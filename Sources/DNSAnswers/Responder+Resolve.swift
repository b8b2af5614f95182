/// Turns a name of a zone into the records of its answer.
extension Responder {
    /// Writes the records of a name in a zone. The first `count` labels of the name are those below the apex. CNAMEs
    /// are followed within the zone.
    @inline(__always) mutating func resolve(
        _ query: Query, _ zone: UnsafePointer<ZoneView>, labels count: Int, _ writer: inout ReplyWriter,
        _ isAuthoritative: inout Bool
    ) -> UInt16 {
        var labels = count
        var owner = 12
        for followed in 0...Self.aliasesMax {
            var rrset = RRsetArena.empty
            var ttl: UInt32 = 0
            switch zone.pointee.locate(name, labels: labels) {
            case .parents(let rank, let tag, _, _):
                let rule = zone.pointee.rules + (Int(tag) &- 1)
                ttl = rule.pointee.ttl
                let first = zone.pointee.firstSetRRset &+ 4 &* rule.pointee.parent(rank)
                rrset = zone.pointee.rrset(first: first, type: query.type, hasText: true)
            case .rootSets(let number, _):
                let first = zone.pointee.firstRootRRset &+ 3 &* number
                rrset = zone.pointee.rrset(first: first, type: query.type, hasText: false)
            case .emptyNonTerminal:
                break
            case .nameError:
                writer.append(zone.pointee.negative, of: zone, ttl: 0)
                add(.nameError)
                return ResponseCode.nameError
            case .delegated(let node, let isExact):
                if !isExact || query.type != RecordType.ds {
                    // AA refers to the query name (RFC 1035 §4.1.1), so it stays set once one of our CNAMEs has been
                    // followed.
                    if owner == 12 { isAuthoritative = false }
                    writer.append(
                        zone.pointee.nodes[node].referral, of: zone, ttl: 0, owner: owner, ownerLength: name.length)
                    add(.referred)
                    return ResponseCode.noError
                }
                rrset = zone.pointee.rrset(node: zone.pointee.nodes[node], type: query.type)
            case .stored(let node):
                let stored = zone.pointee.nodes[node]
                if stored.alias != 0, query.type != RecordType.cname, query.type != RecordType.any {
                    guard !isLoop(followed) else {
                        add(.answered)
                        return ResponseCode.noError
                    }
                    let start = writer.position
                    writer.append(stored.alias, of: zone, ttl: 0, owner: owner)
                    // Owner (a pointer), type, class, TTL and length take 12 bytes; the target follows them.
                    owner = start &+ 12
                    guard !writer.isTruncated, name.load(writer.bytes, start: owner, end: writer.position),
                        let above = labelsAbove(zone)
                    else {
                        add(.answered)
                        return ResponseCode.noError
                    }
                    labels = above
                    continue
                }
                rrset = zone.pointee.rrset(node: stored, type: query.type)
            }
            if zone.pointee.rrsets[Int(rrset)].answers == 0 {
                writer.append(zone.pointee.negative, of: zone, ttl: 0)
                add(.noData)
            } else {
                writer.append(rrset, of: zone, ttl: ttl, owner: owner, ownerLength: name.length)
                add(.answered)
            }
            return ResponseCode.noError
        }
        // The chain of CNAMEs is too long: the part that has been followed is a sufficient answer.
        add(.answered)
        return ResponseCode.noError
    }

    /// True if the CNAME of `name` is already in the answer. If not, records it as number `followed` of the chain.
    private func isLoop(_ followed: Int) -> Bool {
        let hash = name.wholeHash
        for earlier in 0..<followed where aliases[earlier] == hash { return true }
        aliases[followed] = hash
        return false
    }

    /// Number of labels of `name` below the zone's apex. Nil if the name is not in this zone, or if it belongs to
    /// another of our zones, one below this zone.
    private func labelsAbove(_ zone: UnsafePointer<ZoneView>) -> Int? {
        let (number, label) = name.longestSuffix(in: zoneTable)
        return number >= 0 && views + number == zone ? label : nil
    }
}
