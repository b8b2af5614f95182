import DNSAnswers
import ReflectorModel

/// The aliased form of a zone as a master file (design §4), for any name server.
public enum ZoneExport {
    /// Size in bytes beyond which a piece of text is passed to `write`.
    private static let pieceBytes = 60_000

    /// Writes a zone piece by piece.
    ///
    /// - Parameters:
    ///   - serial: serial of the SOA; nil uses that of the `.zone` file.
    ///   - write: receives the text in pieces of tens of kilobytes.
    /// - Returns: the number of records.
    @discardableResult
    public static func write(
        _ content: ZoneContent, serial: UInt32? = nil, recordsMax: Int = AliasedZone.recordsMax,
        to write: (String) -> Void
    ) throws(AliasedZone.TooLarge) -> Int {
        let zone = try AliasedZone(content, serial: serial, recordsMax: recordsMax)
        var piece = "; \(zone.zone), aliased form: portsets by DNAME to classes, parents by CNAME to set regions.\n"
        piece += "$ORIGIN \(zone.zone).\n"
        var count = 0
        var cursor = zone.records
        var next: ZoneRecord? = zone.startOfAuthority
        while let record = next {
            piece += RecordText.line(
                owner: record.owner, type: record.type, ttl: record.ttl, data: record.data, zone: zone.zoneName,
                isPortable: true)
            piece += "\n"
            count += 1
            if piece.utf8.count > pieceBytes {
                write(piece)
                piece = ""
            }
            next = cursor.next()
        }
        write(piece)
        return count
    }

    /// The whole export as text.
    public static func text(_ content: ZoneContent, serial: UInt32? = nil) throws(AliasedZone.TooLarge) -> String {
        var text = ""
        try write(content, serial: serial) { text += $0 }
        return text
    }
}
