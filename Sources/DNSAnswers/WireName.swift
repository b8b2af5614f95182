/// Domain names in wire form (RFC 1035 §3.1): absolute, uncompressed, lower case. All code that parses and composes
/// such names is here; only the query path keeps its own form of a name, in `QueryName`.
package enum WireName {
    /// Maximum length of a name in bytes, including the root's zero.
    package static let lengthMax = 255

    /// The wire form of `text`, a name without its final dot, followed by `suffix`. Nil if a label or the name has an
    /// invalid length.
    static func bytes(of text: some StringProtocol, suffix: [UInt8] = [0]) -> [UInt8]? {
        var result: [UInt8] = []
        for label in text.split(separator: ".", omittingEmptySubsequences: false) {
            guard (1...63).contains(label.utf8.count) else { return nil }
            result.append(UInt8(label.utf8.count))
            result.append(contentsOf: label.utf8.map(lowercased))
        }
        result += suffix
        return result.count <= lengthMax ? result : nil
    }

    /// The wire form of `text`, a name of plain labels without its final dot, followed by `suffix`. Empty labels are
    /// left out; the case is kept.
    package static func joined(_ text: String, below suffix: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count + 1 + suffix.count)
        for label in text.utf8.split(separator: UInt8(ascii: ".")) {
            result.append(UInt8(truncatingIfNeeded: min(label.count, 63)))
            result.append(contentsOf: label.prefix(63))
        }
        return result + suffix
    }

    /// Offsets of the labels of a well-formed name, without the root. Nil if it is not well formed.
    package static func labelOffsets(_ name: [UInt8]) -> [Int]? {
        guard name.count <= lengthMax else { return nil }
        var offsets: [Int] = []
        var position = 0
        while position < name.count, name[position] != 0 {
            guard name[position] < 64 else { return nil }
            offsets.append(position)
            position += 1 + Int(name[position])
        }
        return position == name.count - 1 ? offsets : nil
    }

    /// True if `name` is `zone` or below it. Both must be well formed.
    package static func isWithin(_ name: [UInt8], _ zone: [UInt8]) -> Bool {
        guard name.count >= zone.count else { return false }
        let cut = name.count - zone.count
        for index in zone.indices where name[cut + index] != zone[index] { return false }
        var at = 0
        while at < cut { at += Int(name[at]) + 1 }
        return at == cut
    }

    /// The label just below `zone`, as bytes. Nil for the zone itself and for names outside it.
    package static func firstLabelBelow(_ zone: [UInt8], in name: [UInt8]) -> ArraySlice<UInt8>? {
        guard isWithin(name, zone) else { return nil }
        let cut = name.count - zone.count
        var (offset, next) = (0, 0)
        while next < cut { (offset, next) = (next, next + Int(name[next]) + 1) }
        return cut == 0 ? nil : name[(offset + 1)..<next]
    }

    package static func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 32 : byte }

    /// Lowercases a whole name. Its length bytes do not change: they are at most 63, below every letter.
    package static func lowercased(_ name: [UInt8]) -> [UInt8] { name.map(lowercased) }

    /// Hash of a name. Labels are added from right to left, so each name's hash is computed from its parent's. Both a
    /// walk down the tree and a search through the suffixes of a query name need this.
    static func hash(_ name: [UInt8]) -> UInt64 {
        let padded = name + [0, 0, 0, 0, 0, 0, 0, 0]
        var hash = NameHash.root
        padded.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for offset in (labelOffsets(name) ?? []).reversed() {
                hash = NameHash.extend(hash, label: base + offset)
            }
        }
        return hash
    }
}
