import Glibc

/// Replaces a file in one step: after a crash it is the old one or the new one. The one place where files of state are
/// written.
public enum AtomicFile {
    /// Writes the bytes to a new file beside `path`, has them on the disk, and renames it to `path`.
    /// - Parameter mode: permissions of the new file.
    public static func replace(_ path: String, bytes: [UInt8], mode: mode_t) throws(PrivateFile.Failure) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .system(call: "create", path: temporary, code: errno) }
        do throws(PrivateFile.Failure) {
            defer { close(descriptor) }
            // A file that a crash left behind keeps the mode that it had.
            guard fchmod(descriptor, mode) == 0 else { throw .system(call: "chmod", path: temporary, code: errno) }
            try write(bytes, to: descriptor, path: temporary)
            guard rename(temporary, path) == 0 else { throw .system(call: "rename", path: path, code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        // The new name itself is on the disk only once the directory is.
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw .system(call: "open", path: folder, code: errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw .system(call: "fsync", path: folder, code: errno) }
    }

    /// Writes all bytes and has them on the disk.
    static func write(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(PrivateFile.Failure) {
        var count = 0
        while count < bytes.count {
            let wrote = bytes.withUnsafeBytes { all in
                let rest = UnsafeRawBufferPointer(rebasing: all[count...])
                return Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if wrote < 0, errno == EINTR { continue }
            guard wrote > 0 else { throw .system(call: "write", path: path, code: errno) }
            count += wrote
        }
        guard fsync(descriptor) == 0 else { throw .system(call: "fsync", path: path, code: errno) }
    }
}
