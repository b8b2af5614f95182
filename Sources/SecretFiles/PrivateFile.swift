import Glibc

/// Files that only our user can read: keys, cookie secrets, and a node's stored state.
public enum PrivateFile {
    /// Why a file was not read or written.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        case system(call: String, path: String, code: Int32)
        case notRegular(path: String)
        case foreignOwner(path: String, owner: UInt32, us: UInt32)
        case openToOthers(path: String, mode: UInt32)
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
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system(call: "open", path: path, code: errno) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw .system(call: "fstat", path: path, code: errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular(path: path) }
        let us = geteuid()
        // Root may read files of the user that it will switch to.
        guard status.st_uid == us || status.st_uid == 0 || us == 0 else {
            throw .foreignOwner(path: path, owner: status.st_uid, us: us)
        }
        if status.st_mode & 0o077 != 0 {
            guard status.st_mode & 0o007 == 0, let list = AccessList(descriptor: descriptor), list.isPrivate(to: us)
            else { throw .openToOthers(path: path, mode: status.st_mode & 0o7777) }
        }
        let size = Int(status.st_size)
        guard size <= bytesMax else { throw .tooLarge(path: path, bytes: size, bytesMax: bytesMax) }
        // The file may have grown since: reading one byte more detects this.
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: bytesMax + 1, alignment: 8)
        var count = 0
        defer {
            if let start = bytes.baseAddress { explicit_bzero(start, count) }
            bytes.deallocate()
        }
        while count < bytes.count {
            let room = UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
            let got = Glibc.read(descriptor, room.baseAddress, room.count)
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw .system(call: "read", path: path, code: errno) }
            if got == 0 { break }
            count += got
        }
        guard count <= bytesMax else { throw .tooLarge(path: path, bytes: count, bytesMax: bytesMax) }
        return body(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
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
