/// How a zone publishes its revocation list in the DNS (Design, "Names in the DNS"): two TXT records. The short one is
/// asked about once a second by every node, the long one only when the short one announces a newer list.
public enum RevocationRecords {
    /// The short record's name under the zone: `sequence=12 serials=3 issued=1790000000 bytes=131`.
    public static let announcementName = "revocations"
    /// The long record's name under the zone: the bytes of the list.
    public static let listName = "list.revocations"
    /// Of both, in seconds.
    public static let ttl: UInt32 = 1
    /// Longest character-string of a TXT record (RFC 1035 §3.3).
    private static let stringLengthMax = 255

    /// The character-strings of the short record. Nodes read the first; the others are for people.
    public static func announcement(of list: RevocationList) -> [String] {
        [
            "sequence=\(list.content.sequence)", "serials=\(list.content.serials.count)",
            "issued=\(list.content.issuedAt)", "bytes=\(list.encoded.count)",
        ]
    }

    /// The sequence number that a short record announces; nil if it announces none. Nothing proves it: a list counts
    /// only after `CertificateAuthorities.accepts`.
    public static func sequence(announcedIn strings: [String]) -> UInt64? {
        let key = "sequence="
        let values = strings.filter { $0.hasPrefix(key) }.map { $0.dropFirst(key.count) }
        guard values.count == 1, let text = values.first, text.utf8.first != UInt8(ascii: "0"),
            text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 })
        else { return nil }
        return UInt64(text)
    }

    /// The RDATA of the long record: the bytes of the list, in as few character-strings as possible.
    public static func data(of list: RevocationList) -> [UInt8] {
        let bytes = list.encoded
        var data: [UInt8] = []
        data.reserveCapacity(bytes.count + bytes.count / stringLengthMax + 1)
        for start in stride(from: 0, to: bytes.count, by: stringLengthMax) {
            let end = min(start + stringLengthMax, bytes.count)
            data.append(UInt8(end - start))
            data += bytes[start..<end]
        }
        return data
    }

    /// The list in the RDATA of a long record, however its bytes are divided into character-strings. The signature is
    /// not verified.
    public static func list(in data: [UInt8]) throws(IdentityFormatError) -> RevocationList {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count)
        var at = 0
        while at < data.count {
            let end = at + 1 + Int(data[at])
            guard end <= data.count else { throw .tooShort }
            bytes += data[(at + 1)..<end]
            at = end
        }
        return try RevocationList(decoding: bytes)
    }
}
