import LDNSKit
import ReflectorModel

/// Domain names in uncompressed, lower-case wire form.
enum Names {
    static func lowercased(_ name: [UInt8]) -> [UInt8] {
        // Length bytes are at most 63, below every letter.
        name.map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 }
    }

    /// True for text with an unescaped final dot.
    static func isAbsolute(_ text: String) -> Bool {
        guard text.utf8.last == UInt8(ascii: ".") else { return false }
        let escapes = text.utf8.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count
        return escapes % 2 == 0
    }

    /// Offsets at which labels begin, the root left out.
    static func labels(_ name: [UInt8]) -> [Int] {
        var offsets: [Int] = []
        var at = 0
        while at < name.count, name[at] != 0 {
            offsets.append(at)
            at += Int(name[at]) + 1
        }
        return offsets
    }

    /// True if `name` is `zone` or below it.
    static func isWithin(_ name: [UInt8], _ zone: [UInt8]) -> Bool {
        guard name.count >= zone.count else { return false }
        let cut = name.count - zone.count
        guard name[cut...].elementsEqual(zone) else { return false }
        return cut == 0 || labels(name).contains(cut)
    }

    /// Presentation form of `name` without `zone`; "" for the zone itself. Nil outside.
    static func relative(_ name: [UInt8], to zone: [UInt8]) -> String? {
        guard isWithin(name, zone) else { return nil }
        return LDNSName.text(Array(name[..<(name.count - zone.count)]) + [0])
    }

    /// The label just below `zone`, as bytes. Nil for the zone itself and outside.
    static func firstLabelBelow(_ zone: [UInt8], in name: [UInt8]) -> ArraySlice<UInt8>? {
        guard isWithin(name, zone) else { return nil }
        let cut = name.count - zone.count
        guard let offset = labels(name).last(where: { $0 < cut }) else { return nil }
        return name[(offset + 1)..<(offset + 1 + Int(name[offset]))]
    }

    /// Why a label just below the zone is ours (design §4). Nil if it is free.
    static func reserved(_ label: ArraySlice<UInt8>) -> String? {
        let text = String(decoding: label, as: UTF8.self)
        if ["sets", "streams", "maps", "parents", "explain", "_status"].contains(text) { return text }
        guard let first = text.utf8.first, text.utf8.count > 1,
            text.utf8.dropFirst().allSatisfy({ $0 >= 48 && $0 <= 57 })
        else { return nil }
        if first == UInt8(ascii: "s") { return "s*" }
        return first == UInt8(ascii: "r") ? "r*" : nil
    }
}

extension IPAddress {
    /// From 4 or 16 bytes in network order; nil for nil.
    init?(bytes: [UInt8]?) {
        guard let bytes, bytes.count == 4 || bytes.count == 16 else { return nil }
        if bytes.count == 4 {
            self.init(v4: bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        } else {
            self.init(
                high: bytes[..<8].reduce(UInt64(0)) { $0 << 8 | UInt64($1) },
                low: bytes[8...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }
}
