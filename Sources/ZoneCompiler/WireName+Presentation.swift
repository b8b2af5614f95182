import DNSAnswers
import LDNSKit
import ReflectorModel

/// Conversion of names between wire form and text, and the labels that a zone reserves.
extension WireName {
    /// True for text with an unescaped final dot.
    static func isAbsolute(_ text: String) -> Bool {
        guard text.utf8.last == UInt8(ascii: ".") else { return false }
        let escapes = text.utf8.dropLast().reversed().prefix { $0 == UInt8(ascii: "\\") }.count
        return escapes % 2 == 0
    }

    /// Presentation form of `name` without `zone`; "" for the zone itself. Nil for a name outside the zone.
    static func relative(_ name: [UInt8], to zone: [UInt8]) -> String? {
        guard isWithin(name, zone) else { return nil }
        let labels = name[..<(name.count - zone.count)]
        return plainText(labels) ?? LDNSName.text(Array(labels) + [0])
    }

    /// Presentation form of labels that need no escapes; nil for others.
    private static func plainText(_ labels: ArraySlice<UInt8>) -> String? {
        var text: [UInt8] = []
        text.reserveCapacity(labels.count)
        var at = labels.startIndex
        while at < labels.endIndex {
            let end = at + 1 + Int(labels[at])
            guard end <= labels.endIndex else { return nil }
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            for byte in labels[(at + 1)..<end] {
                let isPlain =
                    (byte | 0x20 >= 97 && byte | 0x20 <= 122) || (byte >= 48 && byte <= 57) || byte == 45 || byte == 95
                guard isPlain else { return nil }
                text.append(byte)
            }
            at = end
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// First characters of reserved labels.
    private static let initials = Array("srmpen_".utf8)

    /// The reserved name that a label just below the zone has, or the pattern that it matches: `s*` or `r*` (design
    /// §4). Nil if the label is not reserved.
    static func reserved(_ label: ArraySlice<UInt8>) -> String? {
        guard let initial = label.first, initials.contains(initial) else { return nil }
        let text = String(decoding: label, as: UTF8.self)
        if ["sets", "streams", "nodes", "maps", "parents", "explain", "_status", "revocations"].contains(text) {
            return text
        }
        guard let first = text.utf8.first, text.utf8.count > 1,
            text.utf8.dropFirst().allSatisfy({ $0 >= 48 && $0 <= 57 })
        else { return nil }
        if first == UInt8(ascii: "s") { return "s*" }
        return first == UInt8(ascii: "r") ? "r*" : nil
    }
}

extension IPAddress {
    /// Reads 4 or 16 bytes in network order; the result is nil if `bytes` is nil.
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
