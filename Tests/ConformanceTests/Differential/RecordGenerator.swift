import ReflectorModel

/// Lines of a master file with records of all types, valid, invalid and borderline: input for the record oracle.
/// Independent of our own table of types.
struct RecordGenerator {
    private enum Token {
        case number(Int)
        case name
        case string
        case text
        case address4
        case address6
        case hex(ClosedRange<Int>)
        case base64
        /// Base 64 in one word.
        case key
        case bitmap
        case one([String])
        case many([String], upTo: Int)
    }

    private var random: SeededGenerator
    private var tokens: [(type: String, tokens: [Token])]

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        tokens = Self.common + Self.security + Self.services
    }

    /// Types of the generated records.
    static var types: [String] { (common + security + services).map(\.type) }

    private static let common: [(type: String, tokens: [Token])] = [
        ("A", [.address4]), ("AAAA", [.address6]), ("NS", [.name]), ("CNAME", [.name]), ("PTR", [.name]),
        ("MX", [.number(65_535), .name]), ("TXT", [.string, .string]), ("SPF", [.string]),
        ("HINFO", [.string, .string]),
        ("RP", [.name, .name]), ("MINFO", [.name, .name]), ("AFSDB", [.number(65_535), .name]),
        ("RT", [.number(65_535), .name]), ("KX", [.number(65_535), .name]), ("PX", [.number(65_535), .name, .name]),
        ("SRV", [.number(65_535), .number(65_535), .number(65_535), .name]),
        ("X25", [.one(["31161", "\"31161\"", "123", "311a1", "0000"])]), ("ISDN", [.string, .string]),
        (
            "NAPTR",
            [
                .number(65_535), .number(65_535), .one(["\"s\"", "u", "\"\""]), .one(["\"SIP+D2U\"", "\"\""]),
                .one(["\"\"", "\"!^.*$!sip:info@example.com!\""]), .name,
            ]
        ),
        (
            "LOC",
            [
                .one(["52", "90", "91", "0", "-1"]), .many(["14", "0", "59", "60"], upTo: 1),
                .many(["05", "5.123", "59.999", "60", "5.1234"], upTo: 1), .one(["N", "S", "n", "E"]),
                .one(["4", "180", "181", "0"]), .many(["53", "60"], upTo: 1), .one(["E", "W", "e"]),
                .one(["10m", "-100000.00m", "-100001m", "42849672.95m", "42849673m", "0", "1.5m", "1.555m"]),
                .many(["1m", "90000000.00m", "90000001m", "0m", "20m", "0.05m"], upTo: 3),
            ]
        ),
        (
            "APL",
            [
                .many(
                    [
                        "1:192.0.2.0/24", "!1:192.0.2.64/28", "2:2001:db8::/32", "1:0.0.0.0/0", "1:192.0.2.0/33",
                        "2:::/129", "3:192.0.2.0/24", "1:192.0.2/24", "1:192.0.2.0", "2:::/0", "1:2001:db8::/32",
                    ], upTo: 3)
            ]
        ),
        ("NSAP", [.one(["0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00", "47.0005", "0x", "0x4", "0x47"])]),
        (
            "EUI48",
            [.one(["00-00-5e-00-53-2a", "00-00-5e-00-53", "00-00-5e-00-53-2A", "00005e00532a", "0-0-5e-0-53-2a"])]
        ),
        ("EUI64", [.one(["00-00-5e-ef-10-00-00-2a", "00-00-5e-00-53-2a", "00-00-5e-ef-10-00-00-2g"])]),
        ("NID", [.number(65_535), .one(["0014:4fff:ff20:ee64", "14:4fff:ff20", "0:0:0:0", "14:4fff:ff20:ee640"])]),
        ("L64", [.number(65_535), .one(["2001:db8:1140:1000", "2001:db8::", "2001:db8:1140:g"])]),
        ("L32", [.number(65_535), .address4]), ("LP", [.number(65_535), .name]),
        ("URI", [.number(65_535), .number(65_535), .one(["\"ftp://a.example/\"", "\"\"", "\"a b\""])]),
        (
            "CAA",
            [
                .number(255), .one(["issue", "issuewild", "iodef", "a-b", "\"\"", "tbs", "x1"]),
                .text,
            ]
        ),
    ]

    private static let algorithm = Token.one([
        "8", "13", "15", "255", "256", "RSASHA256", "ECDSAP256SHA256", "FOO", "-1",
    ])
    private static let bits = Token.number(255)

    private static let security: [(type: String, tokens: [Token])] = [
        ("DS", [.number(65_535), algorithm, .one(["1", "2", "4", "7"]), .hex(19...49)]),
        ("CDS", [.number(65_535), algorithm, .one(["1", "2", "4", "7"]), .hex(19...49)]),
        ("DNSKEY", [.one(["256", "257", "0", "65535", "65536"]), .one(["3"]), algorithm, .base64]),
        ("CDNSKEY", [.one(["256", "257", "65536"]), .one(["3"]), algorithm, .base64]),
        ("SSHFP", [bits, .one(["1", "2", "3", "256"]), .hex(19...33)]),
        ("TLSA", [bits, bits, bits, .hex(0...33)]), ("SMIMEA", [bits, bits, bits, .hex(0...33)]),
        ("CERT", [.one(["PKIX", "PGP", "1", "65535", "65536", "FOO"]), .number(65_535), algorithm, .base64]),
        ("OPENPGPKEY", [.base64]), ("DHCID", [.base64]),
        (
            "RRSIG",
            [
                .one(["A", "TYPE65280", "SOA", "FOO"]), algorithm, .number(3),
                .one(["60", "4294967295", "4294967296"]),
                .one(["20301231235959", "1893456000", "20301331000000", "20300229000000", "2030"]),
                .one(["20200101000000", "4294967295", "4294967296"]), .number(65_535), .name, .base64,
            ]
        ),
        ("NSEC", [.name, .bitmap]), ("CSYNC", [.number(4_294_967_295), .number(65_535), .bitmap]),
        ("NSEC3PARAM", [bits, bits, .number(65_535), .one(["-", "aabb", "aab", "AABB"])]),
        (
            "NSEC3",
            [
                .one(["1"]), .one(["0", "1", "256"]), .number(65_535), .one(["-", "aabb", "zz"]),
                .one(["2t7b4g4vsa5smi47k61mv5bv1a22bojr", "2T7B4G4VSA5SMI47K61MV5BV1A22BOJR", "w", ""]), .bitmap,
            ]
        ),
        ("ZONEMD", [.number(4_294_967_295), .one(["1", "240", "256"]), .one(["1", "2", "240"]), .hex(10...65)]),
        (
            "IPSECKEY",
            [
                bits, .one(["0 2 .", "1 2 192.0.2.1", "2 2 2001:db8::1", "3 2 a.example.", "4 2 .", "1 2 .", "0 2 a"]),
                .base64,
            ]
        ),
        (
            "HIP",
            [
                .one(["2", "256"]), .one(["200100107b1a74df365639cc39f1d578", "2001001"]), .key,
                .many(["a", "b.example."], upTo: 2),
            ]
        ),
        ("KEY", [.one(["256", "0", "65536"]), .one(["3", "256"]), algorithm, .base64]),
        ("TALINK", [.name, .name]),
    ]

    private static let parameters = [
        "alpn=h2", "alpn=h2,h3", "alpn=\"h2,h3\"", "port=443", "port=65536", "port=", "ipv4hint=192.0.2.1",
        "ipv4hint=192.0.2.1,192.0.2.2", "ipv4hint=192.0.2", "ipv6hint=2001:db8::1", "ech=AEj+DQ==", "ech=A",
        "mandatory=alpn", "mandatory=port,alpn", "mandatory=mandatory", "no-default-alpn", "no-default-alpn=x",
        "key65333=ab", "key65333", "key65534=\"a b\"", "key65536=a", "foo=1", "alpn=", "alpn=h2,,h3",
        "mandatory=alpn,alpn",
        "key667=\"\\210qoo\"", "alpn",
    ]
    private static let services: [(type: String, tokens: [Token])] = [
        ("HTTPS", [.number(65_535), .name, .many(parameters, upTo: 4)]),
        ("SVCB", [.number(65_535), .name, .many(parameters, upTo: 4)]),
        (
            "SVCB",
            [
                .one(["1"]), .one([".", "a"]),
                .many(["mandatory=alpn", "alpn=h2", "port=443", "no-default-alpn"], upTo: 4),
            ]
        ),
    ]

    // MARK: Lines

    /// A record without its owner: TTL, class, type and data.
    mutating func line() -> String {
        let chosen = tokens[Int.random(in: 0..<tokens.count, using: &random)]
        var head: [String] = []
        if chance(8) { head.append(pick(["60", "1h30m", "0", "2147483647", "1w", "1m", "90"])) }
        if chance(8) { head.append(pick(["IN", "CLASS1", "in", "CLASS1"])) }
        var words = chosen.tokens.map { word($0) }.filter { !$0.isEmpty }
        if chance(12), !words.isEmpty { words.removeLast() }
        if chance(25) { words.append(pick(["x", "1", "\"x\"", "extra.example."])) }
        var type = chosen.type
        // Not for types that contain names: kzonecheck 3.2.6 hangs on a broken name in `\#`.
        if chance(15) {
            type = pick(["TYPE65280", "TYPE1", "TYPE16", "A", "AAAA", "TXT", "CAA", "DS", "TLSA", "SSHFP"])
            words = [generic()]
        }
        return (head + [type] + words).joined(separator: " ")
    }

    private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    private mutating func pick(_ list: [String]) -> String { list[Int.random(in: 0..<list.count, using: &random)] }

    private mutating func word(_ token: Token) -> String {
        switch token {
        case .number(let most):
            if chance(12) {
                return pick(["\(most + 1)", "-1", "4294967296", "99999999999999999999", "1x", "x", "1.5"])
            }
            return pick(["0", "1", "\(most)", "\(Int.random(in: 0...most, using: &random))", "\(most - 1)"])
        case .name: return name()
        case .string: return string()
        case .text:
            return pick([
                "\"ca.example\"", "ca.example", "\"\"", "\"ca.example; a=b\"", "\"\(letters(300))\"", "a\\256b",
            ])
        case .address4:
            return chance(4)
                ? pick(["1.2.3", "256.1.1.1", "1.2.3.4.5", "01.2.3.4", "1.2.3.", "0x7f.1.1.1", "::1"])
                : "192.0.2.\(number(255))"
        case .address6:
            return chance(3)
                ? pick([
                    "1::2::3", "12345::", "::ffff:192.0.2.1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0",
                    "::",
                    "1:2:3:4:5:6:192.0.2.1", "192.0.2.1", ":1::2", "2001:DB8::A", "1:2:3:4:5:6:7::", "::g",
                ]) : "2001:db8::\(number(9_999))"
        case .hex(let lengths): return hex(lengths)
        case .base64:
            return chance(5)
                ? pick(["AAA", "A===", "AB==", "AA==", "????", "AAAA=", "", "AQ=="])
                : key() + (chance(3) ? " " + key() : "")
        case .key: return chance(6) ? pick(["AAA", "AQ==", "?"]) : key()
        case .bitmap:
            let names = ["A", "NS", "TXT", "RRSIG", "NSEC", "TYPE65280", "TYPE1", "CAA", "FOO", "TYPE65536", "AAAA"]
            return (0..<Int(number(4))).map { _ in pick(chance(3) ? names : Array(names.prefix(5))) }.joined(
                separator: " ")
        case .one(let list): return pick(list)
        case .many(let list, let most): return (0..<Int(number(most))).map { _ in pick(list) }.joined(separator: " ")
        }
    }

    private mutating func number(_ most: Int) -> Int { Int.random(in: 0...most, using: &random) }

    private mutating func letters(_ count: Int) -> String { String(repeating: pick(["a", "b"]), count: count) }

    private mutating func name() -> String {
        guard chance(4) else {
            return pick(["ns1", "a.example.", "@", ".", "x.y", "*.a", "_sip._tcp", "A.B.example."])
        }
        let long = Array(repeating: String(repeating: "a", count: 63), count: 3).joined(separator: ".")
        return pick([
            "\(long).\(letters(42 + number(22)))", "\(long).\(letters(42 + number(22))).", letters(63), letters(64),
            "a..b", ".a", "a\\.b", "a\\046b", "a\\256b", "\\@", "a\\\\b", "a\\000b", "a\\\"b", "a\\;b", "-a", "a-",
            "a/b",
            "a_b", "\\$a", "$a", "a\\(b", "a..", "..", "a\\032b",
        ])
    }

    private mutating func string() -> String {
        pick([
            "abc", "\"abc\"", "\"\"", "\"a b\"", "\"a;b\"", "\"a\\\"b\"", "a\\032b", "\"\\255\"", "\"\\256\"", "\"(\"",
            "\"\(letters(253 + number(3)))\"", "\(letters(253 + number(3)))",
            "\"\(letters(250))\\065\\066\\067\\068\\069\"",
            "a=b", "\"\\000\"", "@", "$x", "\"\\\\\"", "\\\"",
        ])
    }

    private mutating func hex(_ lengths: ClosedRange<Int>) -> String {
        let edges = [20, 32, 48, 64, 12].filter { lengths.contains($0) }
        var count = Int.random(in: lengths, using: &random)
        if !edges.isEmpty, !chance(3) { count = edges[Int.random(in: 0..<edges.count, using: &random)] }
        var text = (0..<count).map { _ in pick(["00", "a1", "FF", "7c"]) }.joined()
        if chance(12) { text += pick(["0", "g0", "zz"]) }
        if chance(4), count > 3 { text.insert(" ", at: text.index(text.startIndex, offsetBy: 4)) }
        return text
    }

    private mutating func key() -> String {
        (0..<(1 + number(8))).map { _ in pick(["AQID", "BAUG", "+/8A", "zzzz"]) }.joined()
    }

    private mutating func generic() -> String {
        let count = number(20)
        let claimed = chance(5) ? pick(["0", "1", "65535", "65536", "-1", "x"]) : "\(count)"
        return "\\# \(claimed) " + (0..<count).map { _ in pick(["00", "01", "c0", "FF", "61", "04"]) }.joined()
    }
}
