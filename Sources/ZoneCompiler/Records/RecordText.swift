import DNSAnswers
import LDNSKit
import ReflectorModel

/// Writes wire-form records as master-file text that any name server reads back unchanged: characters with a special
/// meaning are escaped.
enum RecordText {
    /// One line without its newline: owner, TTL, class, type and data, separated by tabs.
    ///
    /// - Parameters:
    ///   - zone: names below it are written relative to it; with the root, all names have a final dot.
    ///   - isPortable: types that some name servers don't know by name are written by number, with their data as bytes.
    static func line(
        owner: [UInt8], type: UInt16, ttl: UInt32, data: [UInt8], zone: [UInt8] = [0], isPortable: Bool = false
    ) -> String {
        let head = "\(name(owner, zone))\t\(ttl)\tIN\t"
        if isPortable, !RecordSchema.isWidelyKnown(type) { return head + "TYPE\(type)\t\(unknown(data))" }
        return head + "\(RecordSchema.name(type))\t\(text(type: type, data, zone: zone))"
    }

    /// RDATA as text. It is written as `\# LENGTH HEX` if the type is known by number only, the data is malformed, or a
    /// field can't be written as text.
    static func text(type: UInt16, _ data: [UInt8], zone: [UInt8] = [0]) -> String {
        guard let parts = try? RecordWire.parts(type: type, data) else { return unknown(data) }
        var words: [String] = []
        for part in parts {
            guard let word = word(part, zone) else { return unknown(data) }
            if !word.isEmpty { words.append(word) }
        }
        return words.joined(separator: " ")
    }

    private static func unknown(_ data: [UInt8]) -> String {
        data.isEmpty ? "\\# 0" : "\\# \(data.count) \(BinaryText.hex(data))"
    }

    /// A name as text: `@` for `zone` itself, relative for a name below `zone`, otherwise with a final dot. With the
    /// root as `zone`, every name has a final dot.
    static func name(_ name: [UInt8], _ zone: [UInt8]) -> String {
        if name == zone, zone.count > 1 { return "@" }
        let isBelow = zone.count > 1 && WireName.isWithin(name, zone)
        guard let text = LDNSName.text(isBelow ? Array(name.dropLast(zone.count)) + [0] : name) else { return "." }
        return isBelow ? text : text + "."
    }

    /// A character string or other text in quotes (RFC 1035 §5.1).
    static func quoted(_ bytes: ArraySlice<UInt8>) -> String {
        var text: [UInt8] = [UInt8(ascii: "\"")]
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0x20...0x7e:
                text.append(byte)
            default:
                text += [UInt8(ascii: "\\"), 48 + byte / 100, 48 + byte / 10 % 10, 48 + byte % 10]
            }
        }
        text.append(UInt8(ascii: "\""))
        return String(decoding: text, as: UTF8.self)
    }

    // MARK: Fields

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    /// Nil for a field that can't be written as text: all of the record's data must then be written as bytes.
    private static func word(_ part: RecordWire.Part, _ zone: [UInt8]) -> String? {
        let bytes = part.bytes
        switch part.field {
        case .number8, .number16, .number32, .seconds, .algorithm, .certificate, .timestamp: return "\(number(bytes))"
        case .type: return RecordSchema.name(UInt16(number(bytes)))
        case .name: return name(Array(bytes), zone)
        case .names: return names(bytes, zone)
        case .string, .optionalString, .strings, .digits, .degrees: return strings(bytes)
        case .tag: return String(decoding: bytes.dropFirst(), as: UTF8.self)
        case .text: return quoted(bytes)
        case .address4, .address6: return address(bytes)
        case .hex: return BinaryText.hex(bytes)
        case .base64: return BinaryText.base64(bytes)
        case .salt: return bytes.count == 1 ? "-" : BinaryText.hex(bytes.dropFirst())
        case .hash: return BinaryText.base32(bytes.dropFirst())
        case .bitmap: return bitmap(bytes)
        case .dashedHex: return bytes.map { BinaryText.hex([$0]) }.joined(separator: "-")
        case .locator:
            return stride(from: bytes.startIndex, to: bytes.endIndex, by: 2)
                .map { BinaryText.hex(bytes[$0...($0 + 1)]) }.joined(separator: ":")
        case .nsap: return "0x" + BinaryText.hex(bytes)
        case .location: return location(Array(bytes))
        case .prefixes: return prefixes(bytes)
        case .serviceParameters: return serviceParameters(bytes)
        case .wellKnownServices, .securityGateway, .relay, .hostIdentity: return nil
        }
    }

    /// An address of 4 or 16 bytes as text. An IPv4-mapped address stays an IPv6 address.
    private static func address(_ bytes: ArraySlice<UInt8>) -> String {
        guard let address = IPAddress(bytes: Array(bytes)) else { return "" }
        if bytes.count == 16, address.isV4 { return "::ffff:\(address)" }
        return address.description
    }

    private static func names(_ bytes: ArraySlice<UInt8>, _ zone: [UInt8]) -> String {
        var names: [String] = []
        var rest = bytes
        while !rest.isEmpty {
            var end = rest.startIndex
            while rest[end] != 0 { end += 1 + Int(rest[end]) }
            names.append(name(Array(rest[...end]), zone))
            rest = rest[(end + 1)...]
        }
        return names.joined(separator: " ")
    }

    private static func strings(_ bytes: ArraySlice<UInt8>) -> String {
        var words: [String] = []
        var rest = bytes
        while let count = rest.popFirst() {
            words.append(quoted(rest.prefix(Int(count))))
            rest = rest.dropFirst(Int(count))
        }
        return words.joined(separator: " ")
    }

    private static func bitmap(_ bytes: ArraySlice<UInt8>) -> String {
        var types: [String] = []
        var rest = bytes
        while let window = rest.popFirst(), let length = rest.popFirst() {
            for (offset, byte) in rest.prefix(Int(length)).enumerated() {
                for bit in 0..<8 where byte & (0x80 >> UInt8(bit)) != 0 {
                    types.append(RecordSchema.name(UInt16(window) << 8 | UInt16(offset * 8 + bit)))
                }
            }
            rest = rest.dropFirst(Int(length))
        }
        return types.joined(separator: " ")
    }

    private static func location(_ data: [UInt8]) -> String {
        func angle(_ offset: Int, _ letters: (String, String)) -> String {
            let value = number(data[offset..<(offset + 4)]) - 0x8000_0000
            let (milliseconds, minutes) = (abs(value) % 60_000, abs(value) / 60_000)
            return "\(minutes / 60) \(minutes % 60) \(decimal(milliseconds, places: 3)) "
                + (value < 0 ? letters.1 : letters.0)
        }
        func metres(_ centimetres: Int) -> String {
            (centimetres < 0 ? "-" : "") + decimal(abs(centimetres), places: 2) + "m"
        }
        func size(_ byte: UInt8) -> String {
            metres((0..<Int(byte & 15)).reduce(Int(byte >> 4)) { value, _ in value * 10 })
        }
        let altitude = metres(number(data[12..<16]) - 10_000_000)
        return [angle(4, ("N", "S")), angle(8, ("E", "W")), altitude, size(data[1]), size(data[2]), size(data[3])]
            .joined(separator: " ")
    }

    private static func decimal(_ value: Int, places: Int) -> String {
        let unit = (0..<places).reduce(1) { value, _ in value * 10 }
        let fraction = String(value % unit)
        return "\(value / unit)." + String(repeating: "0", count: places - fraction.utf8.count) + fraction
    }

    private static func prefixes(_ bytes: ArraySlice<UInt8>) -> String {
        var words: [String] = []
        var rest = Array(bytes)[...]
        while rest.count >= 4 {
            let head = Array(rest.prefix(4))
            let count = Int(head[3] & 0x7f)
            var address = Array(rest.dropFirst(4).prefix(count))
            while address.count < (head[1] == 1 ? 4 : 16) { address.append(0) }
            words.append((head[3] & 0x80 != 0 ? "!" : "") + "\(head[1]):\(Self.address(address[...]))/\(head[2])")
            rest = rest.dropFirst(4 + count)
        }
        return words.joined(separator: " ")
    }

    /// SvcParams as text. Nil if the text of a value would be ambiguous: all of the record's data must then be written
    /// as bytes.
    private static func serviceParameters(_ bytes: ArraySlice<UInt8>) -> String? {
        var words: [String] = []
        var rest = Array(bytes)[...]
        while rest.count >= 4 {
            let head = Array(rest.prefix(4))
            let key = UInt16(number(head[0..<2]))
            let value = Array(rest.dropFirst(4).prefix(number(head[2..<4])))
            rest = rest.dropFirst(4 + value.count)
            guard let word = serviceParameter(key, value) else { return nil }
            words.append(word)
        }
        return words.joined(separator: " ")
    }

    private static func serviceParameter(_ key: UInt16, _ value: [UInt8]) -> String? {
        let name = ServiceKey.name(key)
        switch key {
        case ServiceKey.mandatory:
            return "\(name)="
                + stride(from: 0, to: value.count, by: 2).map { ServiceKey.name(UInt16(number(value[$0...($0 + 1)]))) }
                .joined(separator: ",")
        case ServiceKey.alpn:
            var items: [String] = []
            var rest = value[...]
            while let count = rest.popFirst() {
                let item = rest.prefix(Int(count))
                guard item.allSatisfy({ isPlain($0) }) else { return nil }
                items.append(String(decoding: item, as: UTF8.self))
                rest = rest.dropFirst(Int(count))
            }
            return "\(name)=" + items.joined(separator: ",")
        case ServiceKey.port: return "\(name)=\(number(value[...]))"
        case ServiceKey.ipv4hint, ServiceKey.ipv6hint:
            let count = key == ServiceKey.ipv4hint ? 4 : 16
            return "\(name)="
                + stride(from: 0, to: value.count, by: count)
                .map { address(value[$0..<($0 + count)]) }.joined(separator: ",")
        case ServiceKey.ech: return "\(name)=" + BinaryText.base64(value[...])
        case ServiceKey.noDefaultALPN: return name
        default:
            // Not every server knows newer keys by name, so they are written by number. Their value must be plain text.
            guard value.allSatisfy({ isPlain($0) }) else { return nil }
            return "key\(key)" + (value.isEmpty ? "" : "=" + String(decoding: value, as: UTF8.self))
        }
    }

    /// True for letters, digits and a few characters without special meaning.
    private static func isPlain(_ byte: UInt8) -> Bool {
        (byte >= 48 && byte <= 57) || (byte | 0x20 >= 97 && byte | 0x20 <= 122) || byte == 45 || byte == 46
            || byte == 47
    }
}
