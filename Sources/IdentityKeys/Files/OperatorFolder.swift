import Glibc
import NodeIdentity
import ReflectorModel
import SecretFiles

/// The folder of an operator, kept off the network:
///
/// ```
/// operator.key     his private key, mode 0600
/// operators        everybody whom the network obeys; copied to every node
/// issued           every certificate that he signed or revoked (`IssuedFile`); only admins have it
/// ```
/// Only one process at a time may work in it.
public struct OperatorFolder: ~Copyable {
    public static let keyName = "operator.key"
    public static let issuedName = "issued"

    public let path: String
    /// The operator's name in `operators`.
    public let name: String
    public let key: LibcryptoIdentityCrypto.SigningKey
    public let operators: OperatorDirectory
    public private(set) var issued: IssuedFile
    private let lock: FolderLock

    public var id: OperatorKeyID { OperatorKeyID(of: key.key.publicKey, LibcryptoIdentityCrypto()) }
    public static func keyPath(_ folder: String) -> String { "\(folder)/\(keyName)" }
    public static func operatorsPath(_ folder: String) -> String { "\(folder)/\(IdentityFolder.operatorsName)" }
    public static func issuedPath(_ folder: String) -> String { "\(folder)/\(issuedName)" }

    /// Opens the folder of an admin: only they sign certificates and revocation lists.
    public init(admin path: String) throws(IdentityFileError) {
        let lock = try FolderLock(path)
        let own = try Self.loadKey(path)
        let operators = try OperatorDirectory.load(Self.operatorsPath(path))
        let (name, key) = (own.name, own.key)
        guard let entry = operators.entry(with: key.key.publicKey), entry.name == name else {
            throw IdentityFileError(
                Self.operatorsPath(path),
                "has no line of \(name) with the key of \(Self.keyPath(path)); copy the file from another admin")
        }
        guard entry.role.mayCertify else {
            throw IdentityFileError(path, "\(name) has the role \(entry.role); only an admin signs certificates")
        }
        let issued = try IssuedFile.load(Self.issuedPath(path))
        self.lock = lock
        self.path = path
        self.name = name
        self.key = key
        self.operators = operators
        self.issued = issued
    }

    /// Reads the private key of an operator of any role, with its name.
    public static func loadKey(_ folder: String) throws(IdentityFileError) -> NamedKey {
        try NamedKey(
            loading: keyPath(folder), of: .operator,
            otherOwner: "a node's key, not an operator's; is this the folder of an operator?")
    }

    /// Replaces the file `issued`.
    mutating func keep(_ issued: IssuedFile) throws(IdentityFileError) {
        try issued.write(to: Self.issuedPath(path))
        self.issued = issued
    }
}

/// Keeps other processes out of a folder as long as it exists.
struct FolderLock: ~Copyable {
    private let descriptor: Int32

    init(_ path: String) throws(IdentityFileError) {
        let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw IdentityFileError(path, "open: \(String(cString: strerror(errno))); `reflector keys init` makes one")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw IdentityFileError(path, "another `reflector keys` works in it; try again when it has ended")
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }
}
