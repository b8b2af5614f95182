import Glibc

/// Replaces a file atomically: after a crash, the path leads to either the whole old file or the whole new one.
public enum AtomicFile {
    /// Writes the bytes to a new file next to `path`, syncs it to disk, and renames it to `path`.
    /// - Parameter mode: permissions of the new file.
    public static func replace(_ path: String, bytes: [UInt8], mode: mode_t) throws(PrivateFile.Failure) {
        let temporary = "\(path).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .system(call: "create", path: temporary, code: errno) }
        do throws(PrivateFile.Failure) {
            defer { close(descriptor) }
            // A file left by a crash keeps its old mode.
            guard fchmod(descriptor, mode) == 0 else { throw .system(call: "chmod", path: temporary, code: errno) }
            try write(bytes, to: descriptor, path: temporary)
            guard rename(temporary, path) == 0 else { throw .system(call: "rename", path: path, code: errno) }
        } catch {
            unlink(temporary)
            throw error
        }
        // The new name itself is on disk only after the directory is synced.
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { throw .system(call: "open", path: folder, code: errno) }
        defer { close(directory) }
        guard fsync(directory) == 0 else { throw .system(call: "fsync", path: folder, code: errno) }
    }

    /// Writes all bytes and syncs them to disk.
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
