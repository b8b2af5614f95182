import Glibc
import LDNSKit

/// Keys of SVCB and HTTPS records (RFC 9460 §14.3.2).
enum ServiceKey {
    static let mandatory: UInt16 = 0
    static let alpn: UInt16 = 1
    static let noDefaultALPN: UInt16 = 2
    static let port: UInt16 = 3
    static let ipv4hint: UInt16 = 4
    static let ech: UInt16 = 5
    static let ipv6hint: UInt16 = 6
    static let dohpath: UInt16 = 7
    static let ohttp: UInt16 = 8
    /// Reserved, never to be used.
    static let invalid: UInt16 = 65_535

    private static let names = [
        "mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath", "ohttp",
    ]

    static func number(_ name: String) -> UInt16? {
        if let known = names.firstIndex(of: name) { return UInt16(known) }
        guard name.hasPrefix("key"), name.utf8.count == 4 || name.utf8.dropFirst(3).first != 48 else { return nil }
        return RecordReader.number(Array(name.utf8.dropFirst(3)), max: 65_534).map { UInt16($0) }
    }

    static func name(_ key: UInt16) -> String { key < names.count ? names[Int(key)] : "key\(key)" }
}

/// Reads SvcParams (RFC 9460 §2.1). In text they may be in any order; on the wire they are in ascending order, without
/// duplicates.
extension RecordReader {
    mutating func serviceParameters() throws(RecordError) {
        var parameters: [(key: UInt16, value: [UInt8])] = []
        while !words.isEmpty {
            let word = try bare("a parameter")
            let text = Array(word.text.utf8)
            let equals = text.firstIndex(of: UInt8(ascii: "="))
            let name = String(decoding: text[..<(equals ?? text.count)], as: UTF8.self).lowercased()
            guard let key = ServiceKey.number(name) else {
                throw failure(
                    word, "'\(name.prefix(40))' is not a parameter; write alpn=h2, port=443, or key65333=VALUE")
            }
            guard !parameters.contains(where: { $0.key == key }) else {
                throw failure(word, "'\(name)' a second time; a parameter stands once (RFC 9460 §2.2), so keep one")
            }
            var value = word
            value.text = equals.map { String(decoding: text[($0 + 1)...], as: UTF8.self) } ?? ""
            parameters.append((key, try serviceValue(name, key, Self.unescaped(value), hasValue: equals != nil, word)))
        }
        for parameter in parameters.sorted(by: { $0.key < $1.key }) {
            append(Int(parameter.key), bytes: 2)
            guard parameter.value.count <= 65_535 else { break }
            append(parameter.value.count, bytes: 2)
            data += parameter.value
        }
    }

    private func serviceValue(
        _ name: String, _ key: UInt16, _ value: [UInt8], hasValue: Bool, _ word: Word
    ) throws(RecordError) -> [UInt8] {
        // If the key is given by its number, the value is in wire form; the check of the wire form validates it.
        if name.hasPrefix("key") { return value }
        switch key {
        case ServiceKey.mandatory:
            var keys: [UInt16] = []
            for item in try list(value, word) {
                guard let number = ServiceKey.number(String(decoding: item, as: UTF8.self).lowercased()) else {
                    throw failure(word, "'mandatory' names no known key; write mandatory=alpn,port")
                }
                keys.append(number)
            }
            return keys.sorted().flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
        case ServiceKey.alpn:
            var result: [UInt8] = []
            for item in try list(value, word) {
                guard (1...255).contains(item.count) else {
                    throw failure(word, "a protocol of 'alpn' is empty or over 255 bytes; write alpn=h2,h3")
                }
                result += [UInt8(item.count)] + item
            }
            return result
        case ServiceKey.noDefaultALPN, ServiceKey.ohttp:
            guard value.isEmpty, !hasValue || value.isEmpty else { throw failure(word, "'\(name)' takes no value") }
            return []
        case ServiceKey.port:
            guard let port = Self.number(value, max: 65_535) else {
                throw failure(word, "'port' is not a number from 0 to 65535; correct it")
            }
            return [UInt8(port >> 8), UInt8(port & 0xff)]
        case ServiceKey.ipv4hint, ServiceKey.ipv6hint:
            let (family, count) = key == ServiceKey.ipv4hint ? (AF_INET, 4) : (AF_INET6, 16)
            var result: [UInt8] = []
            for item in try list(value, word) {
                guard let bytes = Self.address(String(decoding: item, as: UTF8.self), family, count) else {
                    throw failure(word, "'\(name)' has something that is no address of its family; correct it")
                }
                result += bytes
            }
            return result
        case ServiceKey.ech:
            guard let bytes = BinaryText.base64(value), !bytes.isEmpty else {
                throw failure(word, "'ech' is not base 64; copy it again, whole")
            }
            return bytes
        default:
            return value
        }
    }

    /// Splits a value into its comma-separated items; `\,` and `\\` stand for a literal comma and backslash (RFC 9460
    /// appendix A.1).
    private func list(_ value: [UInt8], _ word: Word) throws(RecordError) -> [[UInt8]] {
        var items: [[UInt8]] = [[]]
        var isEscaped = false
        for byte in value {
            if isEscaped {
                items[items.count - 1].append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
            } else if byte == UInt8(ascii: ",") {
                items.append([])
            } else {
                items[items.count - 1].append(byte)
            }
        }
        guard !isEscaped, !items.contains([]) else {
            throw failure(word, "a list with an empty item; write its items with one comma between them")
        }
        return items
    }
}
