import NodeIdentity
import ReflectorModel

/// The file `ZONE.revocations` beside the zone's files: comments for people, and the lines of `RevocationText`.
public enum RevocationFile {
    public static let suffix = ".revocations"

    /// Its path in a folder of zones.
    public static func path(zones: String, zone: String) -> String { "\(zones)/\(zone)\(suffix)" }

    /// Reads a file. The signature is not verified: `CertificateAuthorities.accepts` does that.
    /// - Parameter zone: nil for any.
    public static func load(_ path: String, zone: String?) throws(IdentityFileError) -> RevocationList {
        let bytes = try IdentityFileError.read(path, bytesMax: RevocationText.bytesMax, isSigned: true)
        do throws(RevocationText.Problems) {
            return try RevocationText.parse(bytes, zone: zone).list
        } catch {
            throw IdentityFileError(
                problems: error.problems.map { .init(path: path, line: $0.line, column: $0.column, text: $0.text) })
        }
    }

    /// Writes the file, atomically.
    public static func write(
        _ list: RevocationList, issuer: String?, reasons: [UInt64: String], to path: String
    ) throws(IdentityFileError) {
        try IdentityFileError.write(text(of: list, issuer: issuer, reasons: reasons), to: path)
    }

    /// The content of a file.
    /// - Parameter reasons: a comment for a serial: whose certificate it is, and why it was revoked.
    public static func text(of list: RevocationList, issuer: String?, reasons: [UInt64: String]) -> String {
        let content = list.content
        var text = """
            # Revoked certificates of \(content.zone): list \(content.sequence), \
            \(UTCTime.text(Int64(content.issuedAt)))
            # signed by \(issuer.map { "\($0), " } ?? "")key \(content.issuer); `reflector keys revoke` writes this file

            """
        for serial in content.serials { text += "# \(serial) \(reasons[serial] ?? "")\n" }
        return text + RevocationText.write(list)
    }
}
