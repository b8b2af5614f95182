import NodeIdentity
import ReflectorModel

/// The file of one certificate, `node.certificate`: comments for people, and one line `node-certificate HEX`.
public struct CertificateFile: Sendable, Hashable {
    /// Largest file in bytes.
    public static let bytesMax = 8_192
    public static let keyword = "node-certificate"

    public let certificate: NodeCertificate
    /// Where the file has it, for later problems with it.
    public let line: Int
    public let column: Int

    /// Reads a file. The signature is not verified.
    public static func load(_ path: String) throws(IdentityFileError) -> CertificateFile {
        try parse(try IdentityFileError.read(path, bytesMax: bytesMax, isSigned: true), path: path)
    }

    /// Reads the content of a file. Errors name `path`.
    public static func parse(_ bytes: [UInt8], path: String) throws(IdentityFileError) -> CertificateFile {
        var lines = IdentityLines(bytes, path: path)
        var found: CertificateFile?
        for line in lines.lines where lines.matches(line, keyword: keyword, form: "\(keyword) HEX") {
            let word = line.words[1]
            guard found == nil else {
                lines.complain(line.number, 1, "a second certificate; a file has exactly one")
                continue
            }
            guard let bytes = Hex.bytes(word.text) else {
                lines.complain(line.number, word.column, "a certificate is pairs of digits of 0-9 and a-f")
                continue
            }
            do throws(IdentityFormatError) {
                found = CertificateFile(
                    certificate: try NodeCertificate(decoding: bytes), line: line.number, column: word.column)
            } catch {
                lines.complain(line.number, word.column, "not a certificate: \(error.explanation)")
            }
        }
        if found == nil, lines.problems.isEmpty {
            lines.complain(1, 1, "no certificate; `reflector keys sign` makes one from what `keys request` prints")
        }
        try lines.finish()
        guard let found else { throw IdentityFileError(path, "no certificate") }
        return found
    }

    /// Writes a file, atomically.
    /// - Parameter issuer: the operator's name, if it is known.
    public static func write(
        _ certificate: NodeCertificate, issuer: String?, to path: String
    ) throws(IdentityFileError) {
        try IdentityFileError.write(text(of: certificate, issuer: issuer), to: path)
    }

    /// The content of a file.
    /// - Parameter issuer: the operator's name, if it is known.
    public static func text(of certificate: NodeCertificate, issuer: String?) -> String {
        let content = certificate.content
        return """
            # \(content.name) in \(content.zone): \(content.roleText)
            # valid from \(UTCTime.text(Int64(content.notBefore))) until \(UTCTime.text(Int64(content.notAfter)))
            # serial \(content.serial), signed by \(issuer.map { "\($0), " } ?? "")key \(content.issuer)
            \(keyword) \(Hex.text(certificate.encoded))

            """
    }
}

extension CertificateContent {
    /// `edge of r1283`, `set of sjc`, `entrypoint`.
    public var roleText: String { region == .none ? "\(role)" : "\(role) of \(region)" }
}

extension IdentityFormatError {
    /// What is wrong, and what to do.
    var explanation: String {
        switch self {
        case .tooShort: "bytes are missing at its end; copy the file again"
        case .trailingBytes, .tooLong: "bytes follow its end; copy the file again"
        case .badVersion: "its version is unknown; use the same release of reflector here and where it was signed"
        case .unknownRole, .unknownRegionKind, .unknownLimit:
            "it has a role, a region or a limit that this release of reflector does not know; update it"
        default: "damaged (\(self)); copy the file again"
        }
    }
}
