import NodeIdentity

/// The private key of a node or an operator, with its name.
public struct NamedKey {
    public let name: String
    public let key: LibcryptoIdentityCrypto.SigningKey

    /// Loads a key file.
    ///
    /// - Parameter otherOwner: what is wrong with a key that belongs to another kind of owner: a sentence for operators.
    init(
        loading path: String, of owner: IdentityKeyFile.Owner, otherOwner: @autoclosure () -> String
    ) throws(IdentityFileError) {
        let file: IdentityKeyFile
        do throws(IdentityKeyFile.Failure) {
            file = try IdentityKeyFile(loading: path)
        } catch {
            throw error.fileError(path)
        }
        guard file.owner == owner else { throw IdentityFileError(path, otherOwner()) }
        name = file.name
        key = file.makeSigningKey()
    }
}
