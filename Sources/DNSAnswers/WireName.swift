/// Domain names in wire form while an image is built (RFC 1035 §3.1): lower case, absolute, uncompressed.
enum WireName {
    /// Longest name in bytes, the root's zero included.
    static let lengthMax = 255

    /// `text`, a name without its final dot, followed by `suffix`. Nil for labels or names of a wrong length.
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

    /// Offsets of the labels of a well-formed name, the root's left out. Nil if it is not well formed.
    static func labelOffsets(_ name: [UInt8]) -> [Int]? {
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

    /// True when `name` is `suffix` or below it.
    static func ends(_ name: [UInt8], with suffix: [UInt8]) -> Bool {
        guard let offsets = labelOffsets(name), name.count >= suffix.count else { return false }
        let start = name.count - suffix.count
        return (start == name.count - 1 || offsets.contains(start)) && name[start...].elementsEqual(suffix)
    }

    static func lowercased(_ byte: UInt8) -> UInt8 { (65...90).contains(byte) ? byte | 32 : byte }

    /// Hash of a name: labels folded in from the root leftwards, so that a walk down the tree, or up through the
    /// suffixes of a query, gets each name's hash from its parent's.
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

/// The fixed hash by which names are found in an image. What is in the table comes from the zone's files alone, so
/// that nobody who only asks can lengthen its probes.
enum NameHash {
    static let root: UInt64 = 0x9e37_79b9_7f4a_7c15

    /// Folds the label at `label` (its length byte first) into the hash of the name to its right. Eight bytes at a
    /// time; up to seven bytes behind the label are read and ignored.
    @inline(__always) static func extend(_ hash: UInt64, label: UnsafeRawPointer) -> UInt64 {
        var state = hash
        let count = Int(label.load(as: UInt8.self)) + 1
        var position = 0
        while position < count {
            var word = UInt64(littleEndian: label.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let left = count &- position
            if left < 8 { word &= (1 << UInt64(8 &* left)) &- 1 }
            let product = (state ^ word).multipliedFullWidth(by: 0x9fb2_1c65_1e98_df25)
            state = product.high ^ product.low ^ 0xd6e8_feb8_6659_fd93
            position &+= 8
        }
        return state
    }
}
