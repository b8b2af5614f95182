import DNSAnswers
import LDNSKit
import ReflectorModel

/// Type and RDATA of a record that is synthesised, with the same content that the name server gives (design §4).
struct RecordData: Hashable, Comparable {
    var type: UInt16
    /// In uncompressed wire form.
    var data: [UInt8]

    static func < (a: RecordData, b: RecordData) -> Bool {
        a.type != b.type ? a.type < b.type : a.data.lexicographicallyPrecedes(b.data)
    }

    static func address(_ address: IPAddress) -> RecordData {
        let bytes = [address.high, address.low].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * $0)) }
        }
        return address.isV4
            ? RecordData(type: LDNSType.a, data: Array(bytes[12...])) : RecordData(type: LDNSType.aaaa, data: bytes)
    }

    /// SRV (RFC 2782); `target` in wire form.
    static func service(priority: UInt16, weight: UInt16, port: UInt16, target: [UInt8]) -> RecordData {
        let numbers = [priority, weight, port].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
        return RecordData(type: LDNSType.srv, data: numbers + target)
    }

    /// Character strings of one TXT record, each cut at 255 bytes.
    static func text(_ strings: [String]) -> RecordData {
        RecordData(
            type: LDNSType.txt,
            data: strings.flatMap { string in
                let bytes = string.utf8.prefix(255)
                return [UInt8(bytes.count)] + bytes
            })
    }

    /// Type and RDATA in presentation form, `separator` between them; names below `zone` (in wire form) relative to
    /// it. Nil for other types than those above, CNAME and DNAME.
    func text(zone: [UInt8], separator: String = " ") -> String? {
        switch type {
        case LDNSType.a, LDNSType.aaaa:
            return IPAddress(bytes: data).map { (type == LDNSType.a ? "A" : "AAAA") + separator + $0.description }
        case LDNSType.srv:
            guard data.count > 6 else { return nil }
            let numbers = (0..<3).map { "\(UInt16(data[2 * $0]) << 8 | UInt16(data[2 * $0 + 1]))" }
            return "SRV" + separator + (numbers + [Names.presentation(Array(data[6...]), zone)]).joined(separator: " ")
        case LDNSType.txt:
            var strings: [String] = []
            var rest = data[...]
            while let length = rest.popFirst(), rest.count >= Int(length) {
                strings.append("\"" + Self.escaped(String(decoding: rest.prefix(Int(length)), as: UTF8.self)) + "\"")
                rest = rest.dropFirst(Int(length))
            }
            return "TXT" + separator + strings.joined(separator: " ")
        case LDNSType.cname: return "CNAME" + separator + Names.presentation(data, zone)
        case LDNSType.dname: return "DNAME" + separator + Names.presentation(data, zone)
        default: return nil
        }
    }

    /// A character string of a master file, without its quotes (RFC 1035 §5.1).
    private static func escaped(_ string: String) -> String {
        string.reduce(into: "") { text, character in
            if character == "\"" || character == "\\" { text += "\\" }
            text.append(character)
        }
    }
}

extension Names {
    /// Wire form of a name of plain labels, `text`, below `suffix` in wire form. Empty labels are left out.
    static func wire(_ text: String, below suffix: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count + 1 + suffix.count)
        for label in text.utf8.split(separator: UInt8(ascii: ".")) {
            result.append(UInt8(truncatingIfNeeded: min(label.count, 63)))
            result.append(contentsOf: label.prefix(63))
        }
        return result + suffix
    }

    /// A name of plain labels as master files have it: relative to `zone` where it is below, else with a final dot.
    static func presentation(_ name: [UInt8], _ zone: [UInt8]) -> String {
        let isBelow = name.count > zone.count && isWithin(name, zone)
        var text: [UInt8] = []
        var at = 0
        let end = isBelow ? name.count - zone.count : name.count - 1
        while at < end, at + Int(name[at]) < end {
            if at > 0 { text.append(UInt8(ascii: ".")) }
            text += name[(at + 1)..<(at + 1 + Int(name[at]))]
            at += 1 + Int(name[at])
        }
        if !isBelow { text.append(UInt8(ascii: ".")) }
        return String(decoding: text, as: UTF8.self)
    }
}
