import Foundation

/// The fields of an `application/x-www-form-urlencoded` body or of a query, percent-decoded.
struct FormFields {
    static let countMax = 64

    private var fields: [(name: String, value: String)] = []

    /// Nil if the text has more fields than any hook sends, or is not correctly encoded UTF-8.
    init?(_ text: some Sequence<UInt8>) {
        var name: [UInt8]?
        var part: [UInt8] = []
        func append(_ fields: inout [(name: String, value: String)]) -> Bool {
            guard name != nil || !part.isEmpty else { return true }
            guard fields.count < Self.countMax, let key = Self.decode(name ?? part),
                let value = name == nil ? "" : Self.decode(part)
            else { return false }
            fields.append((key, value))
            return true
        }
        for byte in text {
            switch byte {
            case UInt8(ascii: "&"):
                guard append(&fields) else { return nil }
                (name, part) = (nil, [])
            case UInt8(ascii: "=") where name == nil: (name, part) = (part, [])
            default: part.append(byte)
            }
        }
        guard append(&fields) else { return nil }
    }

    /// The first field of this name: nginx-rtmp appends what its player added to the URL, which must not replace what
    /// nginx says itself.
    subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }

    var names: [String] { fields.map(\.name) }

    private static func decode(_ bytes: [UInt8]) -> String? {
        let spaced = bytes.map { $0 == UInt8(ascii: "+") ? UInt8(ascii: " ") : $0 }
        let escapes = bytes.count { $0 == UInt8(ascii: "%") }
        guard let text = String(validating: spaced, as: UTF8.self)?.removingPercentEncoding,
            // Foundation refuses invalid UTF-8, except for %A9, which it replaces by a longer character.
            text.utf8.count == bytes.count - 2 * escapes
        else { return nil }
        return text
    }
}
