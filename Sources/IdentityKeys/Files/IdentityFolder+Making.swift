import Glibc
import NodeIdentity
import ReflectorModel
import SecretFiles

/// How a node's identity folder comes to be: a key and a request first, then the certificate.
extension IdentityFolder {
    /// Makes the folder and the node's key unless they are there, and asks for a certificate.
    public static func request(for name: String, in folder: String) throws(IdentityFileError) -> NodeRequest {
        let path = keyPath(folder)
        if access(path, F_OK) != 0 {
            try IdentityFileError.makeFolder(folder)
            guard ReflectorName.isHost(name) else {
                throw IdentityFileError(folder, "`\(name)` is no host name: labels of a-z, 0-9, - and _ joined by dots")
            }
            try IdentityKeyFile.make(.node, name: name, at: path)
        }
        let key = try loadKey(folder)
        guard key.name == name else {
            throw IdentityFileError(
                path, "the key of \(key.name), not of \(name); use another folder for \(name), or remove this one")
        }
        do throws(IdentityCryptoError) {
            guard let request = try NodeRequest(name: name, signing: key.key, LibcryptoIdentityCrypto()) else {
                throw .library(operation: "name a request", code: 0)
            }
            return request
        } catch {
            throw IdentityFileError(path, "\(error)")
        }
    }

    /// Puts a certificate and, if given, the operators into the folder, after checking them together with its key.
    /// Replaces the old ones only if all is well.
    public static func install(
        _ certificate: NodeCertificate, operators: OperatorDirectory?, in folder: String
    ) throws(IdentityFileError) {
        let key = try loadKey(folder)
        let known: OperatorDirectory
        if let operators { known = operators } else { known = try OperatorDirectory.load(operatorsPath(folder)) }
        let issuer = try check(
            certificate, key: key, operators: known, folder: folder
        ) {
            IdentityFileError(certificatePath(folder), $0)
        }
        if let operators { try operators.write(to: operatorsPath(folder)) }
        try IdentityFileError.write(
            CertificateFile.text(of: certificate, issuer: issuer.name), to: certificatePath(folder))
    }
}

extension IdentityKeyFile {
    /// Makes a key and writes it to a new file of mode 0600. The name must be a host name.
    static func make(_ owner: Owner, name: String, at path: String) throws(IdentityFileError) {
        let key: Ed25519PrivateKey
        do throws(IdentityCryptoError) {
            key = try Ed25519PrivateKey()
        } catch {
            throw IdentityFileError(path, "\(error)")
        }
        guard let file = IdentityKeyFile(owner: owner, name: name, key: key) else {
            throw IdentityFileError(path, "`\(name)` is no host name")
        }
        do throws(Failure) {
            try file.write(to: path)
        } catch {
            throw error.fileError(path)
        }
    }
}
