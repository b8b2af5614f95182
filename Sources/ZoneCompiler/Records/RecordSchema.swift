/// The fields of each type's RDATA (RFC 1035 §3.3 and each type's own RFC). The reader of master files, the check of
/// wire forms and the text writer all use this table, so that they support the same types.
struct RecordSchema: Sendable {
    enum Field: Sendable, Equatable {
        case number8
        case number16
        case number32
        /// 32 bits, written as seconds or with units: `1h30m`.
        case seconds
        /// A number of 8 bits, or the name of a DNSSEC algorithm.
        case algorithm
        /// A number of 16 bits, or the name of a certificate type (RFC 4398 §2.1).
        case certificate
        /// A record type of 16 bits, by name.
        case type
        /// 32 bits of Unix time, as seconds or YYYYMMDDHHMMSS (RFC 4034 §3.2).
        case timestamp
        case name
        /// Names up to the end, or none.
        case names
        /// One character string of at most 255 bytes.
        case string
        /// One or no character string, at the end.
        case optionalString
        /// One or more character strings up to the end.
        case strings
        /// Decimal digits as a character string. The associated value is the minimum number of digits.
        case digits(Int)
        /// A decimal number as a character string, limited to ± this value (RFC 1712).
        case degrees(Double)
        /// Letters and digits as a character string (RFC 8659 §4.1).
        case tag
        /// One word or quoted string up to the end, without a length. The associated value is the minimum number of
        /// bytes.
        case text(Int)
        case address4
        case address6
        /// Hexadecimal up to the end. The associated value is the minimum number of bytes.
        case hex(Int)
        /// Base 64 up to the end. The associated value is the minimum number of bytes.
        case base64(Int)
        /// A length byte and one word of hexadecimal, `-` for nothing (RFC 5155 §3.3).
        case salt
        /// A length byte and one word of base 32 (RFC 5155 §3.3).
        case hash
        /// Types up to the end (RFC 4034 §4.1.2). The associated value is true if the list may be empty.
        case bitmap(Bool)
        /// This number of bytes as `xx-xx-xx`.
        case dashedHex(Int)
        /// Four groups of 16 bits with colons between them (RFC 6742).
        case locator
        /// `0x` and hexadecimal with dots anywhere (RFC 1706).
        case nsap
        /// RFC 1876 §3.
        case location
        /// RFC 3123 §4.
        case prefixes
        /// RFC 9460 §2.1.
        case serviceParameters
        /// Protocol and services of a well-known-service record (RFC 1035 §3.4.2).
        case wellKnownServices
        /// All fields of IPSECKEY, from the precedence to the key (RFC 4025 §2).
        case securityGateway
        /// All fields of AMTRELAY, from the precedence to the relay (RFC 8777 §4).
        case relay
        /// All fields of HIP: algorithm, tag, key and servers (RFC 8005 §5).
        case hostIdentity
    }

    let name: String
    let fields: [Field]

    /// DS, which is allowed next to the NS of a delegation.
    static let ds: UInt16 = 43

    /// APL, the only type whose data may be left out in a master file.
    static let prefixesType: UInt16 = 42

    /// Nil for a type that is known by number only; its data is `\# LENGTH HEX` (RFC 3597 §5).
    static func of(_ type: UInt16) -> RecordSchema? { byNumber[type] }

    /// Number of a type, from its name in upper case or `TYPE123`. Nil for an unknown word.
    static func number(_ name: String) -> UInt16? {
        if let known = byName[name] { return known }
        guard name.hasPrefix("TYPE") else { return nil }
        let digits = name.dropFirst(4)
        guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }) else { return nil }
        return UInt16(digits)
    }

    /// A type's name, such as `AAAA`; `TYPE65280` for a type without a name.
    static func name(_ type: UInt16) -> String { byNumber[type]?.name ?? numberOnly[type] ?? "TYPE\(type)" }

    private static let byNumber: [UInt16: RecordSchema] = {
        let key: [Field] = [.number16, .number8, .algorithm, .base64(0)]
        let digest: [Field] = [.number16, .algorithm, .number8, .hex(1)]
        let signature: [Field] = [
            .type, .algorithm, .number8, .seconds, .timestamp, .timestamp, .number16, .name, .base64(1),
        ]
        let association: [Field] = [.number8, .number8, .number8, .hex(1)]
        let service: [Field] = [.number16, .name, .serviceParameters]
        let table: [(UInt16, String, [Field])] = [
            (1, "A", [.address4]), (2, "NS", [.name]), (3, "MD", [.name]), (4, "MF", [.name]), (5, "CNAME", [.name]),
            (6, "SOA", [.name, .name, .number32, .seconds, .seconds, .seconds, .seconds]),
            (7, "MB", [.name]), (8, "MG", [.name]), (9, "MR", [.name]), (11, "WKS", [.wellKnownServices]),
            (12, "PTR", [.name]), (13, "HINFO", [.string, .string]), (14, "MINFO", [.name, .name]),
            (15, "MX", [.number16, .name]), (16, "TXT", [.strings]), (17, "RP", [.name, .name]),
            (18, "AFSDB", [.number16, .name]), (19, "X25", [.digits(4)]), (20, "ISDN", [.string, .optionalString]),
            (21, "RT", [.number16, .name]), (22, "NSAP", [.nsap]), (23, "NSAP-PTR", [.name]), (24, "SIG", signature),
            (25, "KEY", key), (26, "PX", [.number16, .name, .name]),
            (27, "GPOS", [.degrees(180), .degrees(90), .degrees(.infinity)]), (28, "AAAA", [.address6]),
            (29, "LOC", [.location]), (33, "SRV", [.number16, .number16, .number16, .name]),
            (35, "NAPTR", [.number16, .number16, .string, .string, .string, .name]), (36, "KX", [.number16, .name]),
            (37, "CERT", [.certificate, .number16, .algorithm, .base64(1)]), (39, "DNAME", [.name]),
            (42, "APL", [.prefixes]), (43, "DS", digest), (44, "SSHFP", [.number8, .number8, .hex(0)]),
            (45, "IPSECKEY", [.securityGateway]), (46, "RRSIG", signature), (47, "NSEC", [.name, .bitmap(false)]),
            (48, "DNSKEY", key), (49, "DHCID", [.base64(1)]),
            (50, "NSEC3", [.number8, .number8, .number16, .salt, .hash, .bitmap(true)]),
            (51, "NSEC3PARAM", [.number8, .number8, .number16, .salt]), (52, "TLSA", association),
            (53, "SMIMEA", association), (55, "HIP", [.hostIdentity]), (56, "NINFO", [.strings]), (57, "RKEY", key),
            (58, "TALINK", [.name, .name]), (59, "CDS", digest), (60, "CDNSKEY", key), (61, "OPENPGPKEY", [.base64(1)]),
            (62, "CSYNC", [.number32, .number16, .bitmap(true)]),
            (63, "ZONEMD", [.number32, .number8, .number8, .hex(12)]), (64, "SVCB", service), (65, "HTTPS", service),
            (99, "SPF", [.strings]), (104, "NID", [.number16, .locator]), (105, "L32", [.number16, .address4]),
            (106, "L64", [.number16, .locator]), (107, "LP", [.number16, .name]), (108, "EUI48", [.dashedHex(6)]),
            (109, "EUI64", [.dashedHex(8)]), (256, "URI", [.number16, .number16, .text(0)]),
            (257, "CAA", [.number8, .tag, .text(0)]), (258, "AVC", [.strings]),
            (259, "DOA", [.number32, .number32, .number8, .string, .base64(0)]), (260, "AMTRELAY", [.relay]),
            (32_768, "TA", digest), (32_769, "DLV", digest),
        ]
        return Dictionary(uniqueKeysWithValues: table.map { ($0.0, RecordSchema(name: $0.1, fields: $0.2)) })
    }()

    /// Types that have a name but no schema: their data is written with `\#`.
    private static let numberOnly: [UInt16: String] = [
        10: "NULL", 30: "NXT", 31: "EID", 32: "NIMLOC", 34: "ATMA", 38: "A6", 40: "SINK", 41: "OPT",
        249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR", 253: "MAILB", 254: "MAILA", 255: "ANY",
    ]

    private static let byName: [String: UInt16] = Dictionary(
        uniqueKeysWithValues: byNumber.map { ($0.value.name, $0.key) } + numberOnly.map { ($0.value, $0.key) })

    /// Types that BIND 9.18, Knot 3.2 or NSD 4.6 does not know by name.
    private static let littleKnown: Set<UInt16> = [
        3, 4, 7, 8, 9, 11, 20, 22, 23, 24, 26, 27, 55, 56, 57, 58, 258, 259, 260, 32_768, 32_769,
    ]

    /// True for a type whose name all of these name servers can read.
    static func isWidelyKnown(_ type: UInt16) -> Bool { byNumber[type] != nil && !littleKnown.contains(type) }

    /// DNSSEC algorithms by name (RFC 4034 appendix A.1 and later RFCs).
    static let algorithms: [String: Int] = [
        "RSAMD5": 1, "DH": 2, "DSA": 3, "ECC": 4, "RSASHA1": 5, "NSEC3DSA": 6, "DSA-NSEC3-SHA1": 6, "NSEC3RSASHA1": 7,
        "RSASHA1-NSEC3-SHA1": 7, "RSASHA256": 8, "RSASHA512": 10, "ECCGOST": 12, "ECC-GOST": 12, "ECDSAP256SHA256": 13,
        "ECDSA256": 13, "ECDSAP384SHA384": 14, "ECDSA384": 14, "ED25519": 15, "ED448": 16, "INDIRECT": 252,
        "PRIVATEDNS": 253, "PRIVATEOID": 254,
    ]

    /// Certificate types by name (RFC 4398 §2.1).
    static let certificates: [String: Int] = [
        "PKIX": 1, "SPKI": 2, "PGP": 3, "IPKIX": 4, "ISPKI": 5, "IPGP": 6, "ACPKIX": 7, "IACPKIX": 8, "URI": 253,
        "OID": 254,
    ]

    /// Required length of a digest in bytes, by record type and digest type; nil if not specified.
    static func digestLength(record: UInt16, digest: UInt8) -> Int? {
        switch (record, digest) {
        case (43, 1), (59, 1), (32_768, 1), (32_769, 1), (44, 1): 20
        case (43, 2), (59, 2), (32_768, 2), (32_769, 2), (44, 2), (43, 3), (59, 3), (32_768, 3), (32_769, 3): 32
        case (43, 4), (59, 4), (32_768, 4), (32_769, 4), (63, 1): 48
        case (63, 2): 64
        default: nil
        }
    }
}
