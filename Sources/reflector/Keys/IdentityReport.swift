import Glibc
import IdentityKeys
import NodeIdentity
import ReflectorModel
import SecretFiles

/// Describes the files of identities in words.
struct IdentityReport {
    typealias Text = (lines: [String], problems: [String])

    /// Folder with the zones' revocation lists.
    var zones: String?
    /// Who may have signed.
    var operators: OperatorDirectory?
    /// In seconds since 1970.
    var now: UInt64

    /// Throws if the file or folder can't be read, or its parts do not belong together.
    func describe(_ path: String) throws -> Text {
        if access(OperatorFolder.keyPath(path), F_OK) == 0 { return try operatorFolder(path) }
        if access(IdentityFolder.keyPath(path), F_OK) == 0 || access(IdentityFolder.certificatePath(path), F_OK) == 0 {
            return try identityFolder(path)
        }
        switch try firstWord(path) {
        case CertificateFile.keyword:
            return try describe(try CertificateFile.load(path).certificate, operators: operators)
        case RequestFile.keyword:
            return (try RequestFile.load(path).map { "request of \($0.name), key \($0.publicKey)" }, [])
        case "operator": return (Self.lines(try OperatorDirectory.load(path)), [])
        case RevocationText.keyword: return describe(try RevocationFile.load(path, zone: nil))
        case "issued", "revoked": return (lines(try IssuedFile.load(path)), [])
        default:
            throw IdentityFileError(
                path, "no certificate, request, operators, revocation list or folder of these")
        }
    }

    private func identityFolder(_ path: String) throws -> Text {
        let folder = try IdentityFolder(loading: path)
        var text = try describe(folder.certificate, operators: folder.operators)
        text.lines += ["  obeys:"] + Self.lines(folder.operators).map { "  \($0)" }
        return text
    }

    private func operatorFolder(_ path: String) throws -> Text {
        let own = try OperatorFolder.loadKey(path)
        let key = LibcryptoIdentityCrypto().publicKey(of: own.key)
        var lines = ["operator \(own.name), key \(OperatorKeyID(of: key, LibcryptoIdentityCrypto()))"]
        if access(OperatorFolder.operatorsPath(path), F_OK) == 0 {
            lines += Self.lines(try OperatorDirectory.load(OperatorFolder.operatorsPath(path))).map { "  \($0)" }
        }
        if access(OperatorFolder.issuedPath(path), F_OK) == 0 {
            lines += self.lines(try IssuedFile.load(OperatorFolder.issuedPath(path)))
        }
        return (lines, [])
    }

    private func describe(_ certificate: NodeCertificate, operators: OperatorDirectory?) throws -> Text {
        let content = certificate.content
        var problems: [String] = []
        let issuer = operators?.entry(with: content.issuer)
        var lines = [
            "\(content.name): \(content.roleText) in \(content.zone)",
            "  \(content.validityText(at: now)), until \(UTCTime.text(Int64(content.notAfter)))",
            "  serial \(content.serial), signed by \(issuer.map { "\($0.name) (\($0.role)), " } ?? "")key \(content.issuer)",
        ]
        if now >= content.notAfter { problems.append("the certificate has expired; renew it (`keys request`, `sign`)") }
        if now < content.notBefore { problems.append("the certificate is not valid yet; is the clock right?") }
        guard let operators else { return (lines + ["  not verified: give --operators"], problems) }
        let list = try revocations(content.zone, operators.authorities, &problems)
        switch operators.authorities.validate(
            certificate, at: max(content.notBefore, min(now, content.notAfter - 1)), zone: content.zone,
            revocations: list, LibcryptoIdentityCrypto())
        {
        case .valid:
            if let list { lines.append("  not revoked (list \(list.content.sequence))") }
        case .revoked(let sequence):
            problems.append("the certificate is revoked (list \(sequence)); make a new key, and let it be signed")
        case .badSignature: problems.append("the signature is wrong; copy the file again")
        case .unknownIssuer: problems.append("no admin of `operators` signed it")
        case .otherZone, .notYetValid, .expired: break
        }
        return (lines, problems)
    }

    /// The zone's list, if it has one.
    private func revocations(
        _ zone: String, _ authorities: CertificateAuthorities, _ problems: inout [String]
    ) throws -> RevocationList? {
        guard let zones else { return nil }
        let path = RevocationFile.path(zones: zones, zone: zone)
        guard access(path, F_OK) == 0 else { return nil }
        let list = try RevocationFile.load(path, zone: zone)
        guard authorities.accepts(list, zone: zone, LibcryptoIdentityCrypto()) else {
            problems.append("\(path): no admin of `operators` signed this list; sign it again (`keys revoke --resign`)")
            return nil
        }
        return list
    }

    private func describe(_ list: RevocationList) -> Text {
        let content = list.content
        var text: Text = (["list \(content.sequence) of \(content.zone), \(UTCTime.text(Int64(content.issuedAt)))"], [])
        text.lines += content.serials.map { "  serial \($0)" }
        guard let operators else {
            text.lines.append("  not verified: give --operators")
            return text
        }
        if operators.authorities.accepts(list, zone: content.zone, LibcryptoIdentityCrypto()) {
            text.lines.append("  signed by \(operators.entry(with: content.issuer)?.name ?? "?")")
        } else {
            text.problems.append("no admin of `operators` signed this list")
        }
        return text
    }

    private static func lines(_ directory: OperatorDirectory) -> [String] {
        directory.entries.map { "\($0.name) \($0.role), key \($0.id)" }
    }

    /// The certificates that are valid or will be, and the others by number.
    private func lines(_ issued: IssuedFile) -> [String] {
        let live = issued.entries.filter { now < $0.notAfter && !issued.isRevoked($0.serial, zone: $0.zone) }
        let rows = live.map { entry in
            "  \(entry.name) in \(entry.zone): \(entry.role)\(entry.region == .none ? "" : " of \(entry.region)"), valid "
                + "for \(TimeText.about(entry.notAfter - now, more: true)), serial \(entry.serial)"
        }
        let revoked = issued.revoked.map { "  revoked serial \($0.serial) in \($0.zone): \($0.why)" }
        return rows + revoked + ["  \(issued.entries.count) certificates issued, \(live.count) valid"]
    }

    /// The first word that is not in a comment.
    private func firstWord(_ path: String) throws(IdentityFileError) -> Substring {
        let bytes: [UInt8]
        do throws(PrivateFile.Failure) {
            bytes = try TrustedFile.read(path, bytesMax: IssuedFile.bytesMax, isSigned: true)
        } catch {
            throw IdentityFileError(problems: [.init(path: path, text: "\(error)")])
        }
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if let word = line.split(whereSeparator: \.isWhitespace).first, !"#;".contains(word.prefix(1)) {
                return word
            }
        }
        return ""
    }
}
