import Glibc
import LDNSKit

/// The types whose fields depend on each other: LOC, APL, WKS, IPSECKEY, AMTRELAY, HIP.
extension RecordReader {
    // MARK: LOC (RFC 1876 §3)

    mutating func location() throws(RecordError) {
        let latitude = try angle("latitude", most: 90, positive: "N", negative: "S")
        let longitude = try angle("longitude", most: 180, positive: "E", negative: "W")
        let altitude = try centimetres("an altitude", -10_000_000...4_284_967_295)
        var sizes: [UInt8] = [0x12, 0x16, 0x13]
        for index in sizes.indices where !words.isEmpty {
            sizes[index] = Self.power(try centimetres("a size", 0...9_000_000_000))
        }
        data = [0] + sizes
        append(0x8000_0000 + latitude, bytes: 4)
        append(0x8000_0000 + longitude, bytes: 4)
        append(10_000_000 + altitude, bytes: 4)
    }

    /// An angle in thousandths of an arc second.
    private mutating func angle(
        _ what: String, most: Int, positive: String, negative: String
    ) throws(RecordError) -> Int {
        let first = words.first
        var parts: [Int] = []
        while true {
            let word = try bare("\(positive) or \(negative) of the \(what)")
            let upper = word.text.uppercased()
            if upper == positive || upper == negative, !parts.isEmpty {
                let total =
                    (parts[0] * 60 + (parts.count > 1 ? parts[1] : 0)) * 60_000 + (parts.count > 2 ? parts[2] : 0)
                guard total <= most * 3_600_000 else {
                    throw failure(first ?? word, "\(what) over \(most) degrees; correct it")
                }
                return upper == positive ? total : -total
            }
            let value =
                parts.count == 2
                ? Self.decimal(word.text, places: 3) : Self.number(word.text.utf8, max: parts.isEmpty ? most : 59)
            guard let value, parts.count < 3, parts.count < 2 || value < 60_000 else {
                throw failure(
                    word, "'\(word.text.prefix(40))' is not part of a \(what); write 52 14 05.000 \(positive)")
            }
            parts.append(value)
        }
    }

    private mutating func centimetres(_ what: String, _ range: ClosedRange<Int>) throws(RecordError) -> Int {
        let word = try bare(what)
        var text = word.text
        if text.hasSuffix("m") || text.hasSuffix("M") { text.removeLast() }
        let isNegative = text.hasPrefix("-")
        if isNegative { text.removeFirst() }
        guard let value = Self.decimal(text, places: 2), range.contains(isNegative ? -value : value) else {
            throw failure(
                word, "'\(word.text.prefix(40))' is not \(what) that a LOC record can hold; write metres: 10m")
        }
        return isNegative ? -value : value
    }

    /// A decimal number with at most `places` digits after the point, times 10^`places`.
    static func decimal(_ text: String, places: Int) -> Int? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = number(parts[0], max: 1_000_000_000) else { return nil }
        var fraction = 0
        if parts.count == 2 {
            guard (1...places).contains(parts[1].count), let value = number(parts[1], max: 999) else { return nil }
            fraction = value
            for _ in parts[1].count..<places { fraction *= 10 }
        }
        return (0..<places).reduce(whole) { value, _ in value * 10 } + fraction
    }

    /// Encodes a size in one byte, as its first digit and a power of ten (RFC 1876 §2).
    private static func power(_ centimetres: Int) -> UInt8 {
        var (mantissa, exponent) = (centimetres, 0)
        while mantissa > 9 {
            mantissa /= 10
            exponent += 1
        }
        return UInt8(mantissa << 4 | exponent)
    }

    // MARK: APL (RFC 3123 §4)

    mutating func prefix() throws(RecordError) {
        let word = try bare("a prefix")
        var text = word.text[...]
        let isNegated = text.hasPrefix("!")
        if isNegated { text = text.dropFirst() }
        let family = text.prefix { $0 != ":" }
        let rest = text.dropFirst(family.count + 1)
        let parts = rest.split(separator: "/", omittingEmptySubsequences: false)
        let isV4 = family == "1"
        guard isV4 || family == "2", parts.count == 2,
            var bytes = Self.address(String(parts[0]), isV4 ? AF_INET : AF_INET6, isV4 ? 4 : 16),
            let length = Self.number(parts[1].utf8, max: isV4 ? 32 : 128)
        else {
            throw failure(
                word, "'\(word.text.prefix(60))' is not a prefix; write 1:192.0.2.0/24 or !2:2001:db8::/32")
        }
        while bytes.last == 0 { bytes.removeLast() }
        append(isV4 ? 1 : 2, bytes: 2)
        append(length, bytes: 1)
        append((isNegated ? 0x80 : 0) | bytes.count, bytes: 1)
        data += bytes
    }

    // MARK: WKS (RFC 1035 §3.4.2)

    private static let protocols = ["ICMP": 1, "TCP": 6, "UDP": 17]
    private static let services = [
        "FTP": 21, "SSH": 22, "TELNET": 23, "SMTP": 25, "TIME": 37, "DOMAIN": 53, "TFTP": 69, "FINGER": 79, "HTTP": 80,
        "POP3": 110, "NNTP": 119, "NTP": 123, "IMAP2": 143, "SNMP": 161, "LDAP": 389, "HTTPS": 443,
    ]

    mutating func wellKnownServices() throws(RecordError) {
        try address("an IPv4 address", AF_INET, 4)
        append(try number(max: 255, Self.protocols, "a protocol, as tcp"), bytes: 1)
        var bits: [UInt8] = []
        while !words.isEmpty {
            let port = try number(max: 65_535, Self.services, "a port, or a service as smtp")
            while bits.count <= port / 8 { bits.append(0) }
            bits[port / 8] |= 0x80 >> UInt8(port % 8)
        }
        data += bits
    }

    // MARK: Gateways (RFC 4025 §2, RFC 8777 §4)

    mutating func securityGateway() throws(RecordError) {
        append(try number(max: 255), bytes: 1)
        let kind = try number(max: 3, "a type of gateway")
        append(kind, bytes: 1)
        let algorithm = try number(max: 255)
        append(algorithm, bytes: 1)
        try gateway(kind)
        var text: [UInt8] = []
        let first = words.first
        while !words.isEmpty { text += Array(try bare("a key").text.utf8) }
        guard let key = BinaryText.base64(text) else {
            throw failure(first ?? last, "bad base 64; copy the key again")
        }
        data += key
    }

    mutating func relay() throws(RecordError) {
        append(try number(max: 255), bytes: 1)
        let discovery = try number(max: 1, "a bit for optional discovery")
        let kind = try number(max: 3, "a type of relay")
        append(discovery << 7 | kind, bytes: 1)
        try gateway(kind)
    }

    private mutating func gateway(_ kind: Int) throws(RecordError) {
        switch kind {
        case 0:
            let word = try bare("a dot for no gateway")
            guard word.text == "." else { throw failure(word, "type 0 has no gateway; write a dot") }
        case 1: try address("an IPv4 address", AF_INET, 4)
        case 2: try address("an IPv6 address", AF_INET6, 16)
        default: try name()
        }
    }

    // MARK: HIP (RFC 8005 §5)

    mutating func hostIdentity() throws(RecordError) {
        let algorithm = try number(max: 255)
        let tagWord = try bare("a host identity tag")
        guard let tag = BinaryText.hex(tagWord.text.utf8), (1...255).contains(tag.count) else {
            throw failure(tagWord, "bad host identity tag; write 1 to 255 bytes in hexadecimal")
        }
        let keyWord = try bare("a key")
        guard let key = BinaryText.base64(Array(keyWord.text.utf8)), (1...65_535).contains(key.count) else {
            throw failure(keyWord, "bad base 64; copy the key again, in one word")
        }
        append(tag.count, bytes: 1)
        append(algorithm, bytes: 1)
        append(key.count, bytes: 2)
        data += tag + key
        while !words.isEmpty { try name() }
    }
}
