import Glibc

/// Files that only our user can read: keys, cookie secrets, and a node's stored state.
public enum PrivateFile {
    /// Why a file was not read or written.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        case system(call: String, path: String, code: Int32)
        case notRegular(path: String)
        case foreignOwner(path: String, owner: UInt32, us: UInt32)
        case openToOthers(path: String, mode: UInt32)
        case writableByOthers(path: String, mode: UInt32)
        case tooLarge(path: String, bytes: Int, bytesMax: Int)
        case notText(path: String)

        public var description: String {
            switch self {
            case .system(let call, let path, let code): "\(path): \(call): \(String(cString: strerror(code)))"
            case .notRegular(let path): "\(path): not a regular file"
            case .foreignOwner(let path, let owner, let us):
                "\(path): belongs to user \(owner), but this process runs as user \(us): chown it to \(us)"
            case .openToOthers(let path, let mode):
                "\(path): mode \(String(mode, radix: 8)) gives other users access; chmod 600 it (its access control "
                    + "list, if any, may name only user \(geteuid()))"
            case .writableByOthers(let path, let mode):
                "\(path): mode \(String(mode, radix: 8)) lets other users change it; chmod 644 it"
            case .tooLarge(let path, let bytes, let bytesMax): "\(path): \(bytes) bytes; at most \(bytesMax)"
            case .notText(let path): "\(path): not UTF-8 text"
            }
        }
    }

    /// Reads a file of mode 0600 or stricter that belongs to us, or to root if an access control list gives us access
    /// (as for systemd credentials). The open file is checked, not its name.
    public static func read(_ path: String, bytesMax: Int) throws(Failure) -> String {
        let text = try withBytes(path, bytesMax: bytesMax) { String(validating: $0, as: UTF8.self) }
        guard let text else { throw .notText(path: path) }
        return text
    }

    /// Like `read`, but passes the bytes to `body` and wipes them afterwards.
    public static func withBytes<Value>(
        _ path: String, bytesMax: Int, _ body: (UnsafeRawBufferPointer) -> Value
    ) throws(Failure) -> Value {
        let isPrivate = { (status: stat, descriptor: Int32) throws(Failure) in
            guard status.st_mode & 0o077 != 0 else { return }
            guard status.st_mode & 0o007 == 0, let list = AccessList(descriptor: descriptor),
                list.isPrivate(to: geteuid())
            else { throw .openToOthers(path: path, mode: status.st_mode & 0o7777) }
        }
        return try BoundedFile.withBytes(path, bytesMax: bytesMax, isPrivate, body)
    }

    /// Writes a new file of mode 0600; an existing file is an error.
    public static func create(_ path: String, text: String) throws(Failure) {
        try create(path, bytes: Array(text.utf8))
    }

    /// Writes a new file of mode 0600; an existing file is an error. The caller wipes the bytes.
    public static func create(_ path: String, bytes: [UInt8]) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .system(call: "create", path: path, code: errno) }
        defer { close(descriptor) }
        try AtomicFile.write(bytes, to: descriptor, path: path)
    }

    /// Replaces a file with one of mode 0600, atomically even if the machine crashes.
    public static func replace(_ path: String, bytes: [UInt8]) throws(Failure) {
        try AtomicFile.replace(path, bytes: bytes, mode: 0o600)
    }
}
