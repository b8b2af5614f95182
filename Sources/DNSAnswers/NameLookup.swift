/// The result of a name lookup in a zone.
enum NameLookup {
    /// `n{k}.r{R}.s{P}` or `n{k}.r{R}`: the parent of rank `rank` in the rule at index `tag - 1`.
    case parents(rank: Int, tag: UInt32, portset: UInt16, region: UInt32)
    /// `sets.s{P}`.
    case rootSets(number: UInt32, portset: UInt16)
    /// A name without records that has names below it.
    case emptyNonTerminal
    case nameError
    /// A stored name, or the wildcard that matches the query name.
    case stored(node: Int)
    /// A name that is delegated to other servers (`isExact`), or a name below it.
    case delegated(node: Int, isExact: Bool)
}

extension ZoneView {
    /// Looks up a name whose first `count` labels are below the apex.
    @inline(__always) func locate(_ name: borrowing QueryName, labels count: Int) -> NameLookup {
        guard count > 0 else { return .stored(node: 0) }
        let last = name.label(count - 1)
        // In every synthesised name, the label next to the apex is `s` or `r` with a number.
        if last[0] > 1, last[2] &- 48 <= 9 {
            if last[1] == UInt8(ascii: "s"), let place = locateUnderPortset(name, labels: count) { return place }
            if last[1] == UInt8(ascii: "r"), let place = locateUnderRegion(name, labels: count) { return place }
        }
        return locateStored(name, labels: count)
    }

    /// Looks up `s{P}` and names below it. Nil if `s{P}` does not exist, so that a wildcard at the apex can match (RFC
    /// 4592 §2.2).
    @inline(__always) private func locateUnderPortset(_ name: borrowing QueryName, labels count: Int) -> NameLookup? {
        guard let number = name.number(count - 1, letter: UInt8(ascii: "s"), most: 65_535) else { return nil }
        let portset = UInt16(truncatingIfNeeded: number)
        let entry = index.entry(of: portset)
        guard entry.exists else { return nil }
        if count == 1 { return .emptyNonTerminal }
        if let region = name.number(count - 2, letter: UInt8(ascii: "r"), most: UInt64(UInt32.max)) {
            return locateParents(
                name, labels: count - 2, portset: portset, region: UInt32(truncatingIfNeeded: region))
        }
        if count == 2, entry.rootSets != 0, name.label(0, is: "sets") {
            return .rootSets(number: entry.rootSets, portset: portset)
        }
        return .nameError
    }

    /// Looks up `r{R}` and names below it, for the default portset. Nil if `r{R}` does not exist.
    @inline(__always) private func locateUnderRegion(_ name: borrowing QueryName, labels count: Int) -> NameLookup? {
        guard let number = name.number(count - 1, letter: UInt8(ascii: "r"), most: UInt64(UInt32.max)) else {
            return nil
        }
        let region = UInt32(truncatingIfNeeded: number)
        let tag = index.winner(portset: defaultPortset, region: region)
        guard tag != 0, rules[Int(tag) - 1].parentCount > 0 else { return nil }
        return locateParents(name, labels: count - 1, portset: defaultPortset, region: region)
    }

    /// Looks up a region name with `count` labels to its left.
    @inline(__always) private func locateParents(
        _ name: borrowing QueryName, labels count: Int, portset: UInt16, region: UInt32
    ) -> NameLookup {
        let tag = index.winner(portset: portset, region: region)
        guard tag != 0 else { return .nameError }
        let parents = rules[Int(tag) - 1].parentCount
        guard parents > 0 else { return .nameError }
        if count == 0 { return .emptyNonTerminal }
        let label = name.label(count - 1)
        guard count == 1, label[0] == 2, label[1] == UInt8(ascii: "n") else { return .nameError }
        let rank = label[2] &- 48
        guard rank >= 1, rank <= parents else { return .nameError }
        return .parents(rank: Int(rank), tag: tag, portset: portset, region: region)
    }

    /// Looks up a stored name: walks down from the apex. A delegation ends the walk. The last name that exists is the
    /// closest encloser, which may have a wildcard (RFC 4592 §3.3.1).
    @inline(__always) private func locateStored(_ name: borrowing QueryName, labels count: Int) -> NameLookup {
        var node = 0
        var label = count
        var hash = zoneHash
        while label > 0 {
            label &-= 1
            hash = name.extend(hash, by: label)
            let next = name.find(label, hash: hash, in: names)
            guard next >= 0 else {
                let wildcard = Int(nodes[node].wildcard)
                guard wildcard >= 0 else { return .nameError }
                let ingest = nodes[wildcard].ingest
                // `ingest` in front of a stream's name, not in its place.
                if ingest >= 0, label > 0, name.label(0, is: "ingest") { return .stored(node: Int(ingest)) }
                return .stored(node: wildcard)
            }
            node = next
            if nodes[node].referral != 0 { return .delegated(node: node, isExact: label == 0) }
        }
        return nodes[node].setCount == 0 ? .emptyNonTerminal : .stored(node: node)
    }
}
