/// Names of DNS numbers (IANA DNS parameters).
enum DNSNames {
    /// The name of a type, such as `AAAA`; `TYPE65280` for a type that is not listed here (RFC 3597 §5).
    static func type(_ number: UInt16) -> String {
        types[number] ?? "TYPE\(number)"
    }

    /// The name of a response code, such as `NXDOMAIN`; `RCODE12` for a code that is not listed here.
    static func code(_ number: Int) -> String {
        codes[number] ?? "RCODE\(number)"
    }

    /// A label in presentation form: special characters are written as `\DDD` (RFC 4343 §2.1).
    static func label(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for byte in bytes {
            switch byte {
            case 0x21...0x7e where !#".\"$();@"#.utf8.contains(byte): text.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte)
                text += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
            }
        }
        return text
    }

    private static let types: [UInt16: String] = [
        1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT", 24: "SIG", 25: "KEY",
        28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 39: "DNAME", 41: "OPT", 43: "DS", 44: "SSHFP", 46: "RRSIG",
        47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 51: "NSEC3PARAM", 52: "TLSA", 59: "CDS", 60: "CDNSKEY", 61: "OPENPGPKEY",
        62: "CSYNC", 63: "ZONEMD", 64: "SVCB", 65: "HTTPS", 99: "SPF", 249: "TKEY", 250: "TSIG", 251: "IXFR",
        252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY", 257: "CAA",
    ]

    private static let codes: [Int: String] = [
        0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH",
        16: "BADVERS", 23: "BADCOOKIE",
    ]
}
