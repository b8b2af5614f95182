/// The fields of an `application/x-www-form-urlencoded` body or of a query, percent-decoded.
struct FormFields {
    static let countMax = 64

    private var fields: [(name: String, value: String)] = []

    /// Nil if the text has more fields than any hook sends, or is not correctly encoded UTF-8.
    init?(_ text: some Sequence<UInt8>) {
        var name: [UInt8]?
        var part: [UInt8] = []
        func decoded(_ bytes: [UInt8]) -> String? { Self.decode(bytes) }
        func append(_ fields: inout [(name: String, value: String)]) -> Bool {
            guard name != nil || !part.isEmpty else { return true }
            guard fields.count < Self.countMax, let key = decoded(name ?? part),
                let value = name == nil ? "" : decoded(part)
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
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "+"): result.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard index + 2 < bytes.count, let high = digit(bytes[index + 1]), let low = digit(bytes[index + 2])
                else { return nil }
                result.append(high << 4 | low)
                index += 2
            default: result.append(bytes[index])
            }
            index += 1
        }
        return String(validating: result, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
