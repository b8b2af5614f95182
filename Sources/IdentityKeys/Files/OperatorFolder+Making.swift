import Glibc
import NodeIdentity
import ReflectorModel

extension OperatorFolder {
    /// Makes a folder with a fresh key.
    ///
    /// The first operator of a network is an admin who joins nobody: he gets a folder with `operators` and `issued`.
    /// Further operators' keys are added to `operators` of the folder that they join, an admin's; a second admin also
    /// gets a copy of its `issued`. An operator who is no admin and joins nobody only gets a key.
    /// - Returns: the line for `operators`.
    public static func make(
        _ path: String, name: String, role: OperatorRole, joining other: String? = nil
    ) throws(IdentityFileError) -> OperatorDirectory.Entry {
        guard ReflectorName.isHost(name) else {
            throw IdentityFileError(path, "`\(name)` is no name: labels of a-z, 0-9, - and _ joined by dots")
        }
        guard access(keyPath(path), F_OK) != 0 else {
            throw IdentityFileError(keyPath(path), "is there already; nothing was changed")
        }
        var theirs: (operators: OperatorDirectory, issued: IssuedFile)?
        if let other {
            let folder = try OperatorFolder(admin: other)
            theirs = (folder.operators, folder.issued)
        }
        try IdentityFileError.makeFolder(path)
        try IdentityKeyFile.make(.operator, name: name, at: keyPath(path))
        do throws(IdentityFileError) {
            let publicKey = try loadKey(path).key.key.publicKey
            let entry = OperatorDirectory.Entry(name: name, role: role, key: publicKey)
            try complete(path, entry, theirs: theirs, other: other)
            return entry
        } catch {
            unlink(keyPath(path))
            throw error
        }
    }

    private static func complete(
        _ path: String, _ entry: OperatorDirectory.Entry, theirs: (operators: OperatorDirectory, issued: IssuedFile)?,
        other: String?
    ) throws(IdentityFileError) {
        let prefix = IssuedFile.serialPrefix(of: entry.id)
        if let theirs, let other {
            guard !theirs.operators.admins.contains(where: { IssuedFile.serialPrefix(of: $0.id) == prefix }) else {
                throw IdentityFileError(path, "the fresh key would share serials with another admin's; try again")
            }
            let operators = try OperatorDirectory(theirs.operators.entries + [entry], path: operatorsPath(other))
            if entry.role.mayCertify { try theirs.issued.write(to: issuedPath(path)) }
            try operators.write(to: operatorsPath(path))
            try operators.write(to: operatorsPath(other))
        } else if entry.role.mayCertify {
            try IssuedFile().write(to: issuedPath(path))
            try OperatorDirectory([entry], path: operatorsPath(path)).write(to: operatorsPath(path))
        }
    }
}
