import Glibc

/// Files that anybody may read, but that decide about trust: operators' public keys, certificates, revocation lists.
/// Whoever can write one can be an operator, so only its owner may be able to.
public enum TrustedFile {
    /// Reads a file that belongs to us or to root, and that nobody else can write. The open file is checked, not its
    /// name.
    /// - Parameter isSigned: true if its content proves itself by a signature, so that it does not matter who can write
    ///   the file.
    public static func read(_ path: String, bytesMax: Int, isSigned: Bool = false) throws(PrivateFile.Failure)
        -> [UInt8]
    {
        let isAllowed = { (status: stat, _: Int32) throws(PrivateFile.Failure) in
            guard isSigned || status.st_mode & 0o022 == 0 else {
                throw .writableByOthers(path: path, mode: status.st_mode & 0o7777)
            }
        }
        return try BoundedFile.withBytes(path, bytesMax: bytesMax, isAllowed) { Array($0) }
    }

    /// Replaces a file with one of mode 0644, atomically even if the machine crashes.
    public static func replace(_ path: String, text: String) throws(PrivateFile.Failure) {
        try AtomicFile.replace(path, bytes: Array(text.utf8), mode: 0o644)
    }
}
