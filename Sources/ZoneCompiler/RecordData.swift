import DNSAnswers
import LDNSKit
import ReflectorModel

/// Type and RDATA of a synthesised record, with the same content as in the name server's answers (design §4).
struct RecordData: Hashable, Comparable {
    var type: UInt16
    /// RDATA in uncompressed wire form.
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

    /// A TXT record of these character strings, each truncated to 255 bytes.
    static func text(_ strings: [String]) -> RecordData {
        RecordData(
            type: LDNSType.txt,
            data: strings.flatMap { string in
                let bytes = string.utf8.prefix(255)
                return [UInt8(bytes.count)] + bytes
            })
    }

    /// Type and RDATA in presentation form. Names below `zone`, which is in wire form, are written relative to it.
    func text(zone: [UInt8]) -> String {
        RecordSchema.name(type) + " " + RecordText.text(type: type, data, zone: zone)
    }
}
