import NodeIdentity
import ReflectorModel
import SecretFiles

/// A node's identity folder, checked as a whole:
///
/// ```
/// node.key           its private key, mode 0600; made here, never leaves the machine
/// node.certificate   what an operator says that it is
/// operators          whom it obeys
/// ```
public struct IdentityFolder: Sendable {
    public static let keyName = "node.key"
    public static let certificateName = "node.certificate"
    public static let operatorsName = "operators"

    public let path: String
    public let operators: OperatorDirectory
    /// Certificate and private key.
    public let credential: NodeCredential<LibcryptoIdentityCrypto>

    public var authorities: CertificateAuthorities { operators.authorities }
    public var certificate: NodeCertificate { credential.certificate }
    /// What the operator certified.
    public var content: CertificateContent { credential.certificate.content }

    public static func keyPath(_ folder: String) -> String { "\(folder)/\(keyName)" }
    public static func certificatePath(_ folder: String) -> String { "\(folder)/\(certificateName)" }
    public static func operatorsPath(_ folder: String) -> String { "\(folder)/\(operatorsName)" }

    /// Loads the files. Throws all problems of all three at once, and if they do not belong together: the key must be
    /// the one in the certificate, and an admin must have signed that. Time and revocation are not checked.
    public init(loading path: String) throws(IdentityFileError) {
        var problems: [IdentityFileError.Problem] = []
        let key = Self.collect(&problems) { () throws(IdentityFileError) in try Self.loadKey(path) }
        let certificatePath = Self.certificatePath(path)
        let file = Self.collect(&problems) { () throws(IdentityFileError) in try CertificateFile.load(certificatePath) }
        let operators = Self.collect(&problems) { () throws(IdentityFileError) in
            try OperatorDirectory.load(Self.operatorsPath(path))
        }
        guard let key, let file, let operators else { throw IdentityFileError(problems: problems) }
        let credential = NodeCredential(certificate: file.certificate, key: key.key, LibcryptoIdentityCrypto())
        _ = try Self.check(file.certificate, key: key, operators: operators, folder: path) { text in
            IdentityFileError(
                problems: [.init(path: certificatePath, line: file.line, column: file.column, text: text)])
        }
        guard let credential else { throw IdentityFileError(certificatePath, "not of this key") }
        self.path = path
        self.operators = operators
        self.credential = credential
    }

    /// Checks that a certificate is of this key and signed by an admin, who is returned.
    static func check(
        _ certificate: NodeCertificate, key: NamedKey, operators: OperatorDirectory, folder: String,
        _ complain: (String) -> IdentityFileError
    ) throws(IdentityFileError) -> OperatorDirectory.Entry {
        let content = certificate.content
        let crypto = LibcryptoIdentityCrypto()
        guard key.name == content.name else {
            throw complain(
                "the certificate is of \(content.name), but \(keyPath(folder)) is the key of \(key.name); install "
                    + "the certificate of \(key.name)")
        }
        guard crypto.publicKey(of: key.key) == content.publicKey else {
            throw complain(
                "the certificate is of another key of \(key.name) than \(keyPath(folder)); print a request of this "
                    + "key with `reflector keys request \(key.name) --identity \(folder)` and let an operator sign it")
        }
        guard let issuer = operators.entry(with: content.issuer), issuer.role.mayCertify else {
            throw complain(
                "key \(content.issuer) has signed it, which is no admin of the file `operators`; renew the certificate, "
                    + "or copy the operator's file `operators` if it has changed")
        }
        guard crypto.isValid(certificate.signature, of: content.signedBytes, by: issuer.key) else {
            throw complain("its signature is not \(issuer.name)'s; copy the file again, or renew it")
        }
        return issuer
    }

    /// Whether the certificate is valid at a time, in seconds since 1970.
    public func validity(at seconds: UInt64, revocations: RevocationList?) -> Validity {
        authorities.validate(
            certificate, at: seconds, zone: content.zone, revocations: revocations, LibcryptoIdentityCrypto())
    }

    /// Loads the private key.
    static func loadKey(_ folder: String) throws(IdentityFileError) -> NamedKey {
        try NamedKey(
            loading: keyPath(folder), of: .node,
            otherOwner: "an operator's key; it must not be on a node. Make the node's own key with "
                + "`reflector keys request NAME --identity \(folder)`")
    }

    private static func collect<Value>(
        _ problems: inout [IdentityFileError.Problem], _ load: () throws(IdentityFileError) -> Value
    ) -> Value? {
        do throws(IdentityFileError) {
            return try load()
        } catch {
            problems += error.problems
            return nil
        }
    }
}

extension IdentityKeyFile {
    /// The key, for a crypto that shares it.
    public consuming func makeSigningKey() -> LibcryptoIdentityCrypto.SigningKey {
        LibcryptoIdentityCrypto.SigningKey(key)
    }
}

extension IdentityKeyFile.Failure {
    /// The same problem, with its position.
    func fileError(_ path: String) -> IdentityFileError {
        switch self {
        case .syntax(let path, let line, let column, let text):
            IdentityFileError(problems: [.init(path: path, line: line, column: column, text: text)])
        case .file, .noKey, .crypto: IdentityFileError(path, IdentityFileError.without(path, description))
        }
    }
}
