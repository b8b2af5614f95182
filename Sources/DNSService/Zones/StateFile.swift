import Glibc
import SecretFiles

/// A small file of the state directory. It is replaced atomically (`AtomicFile`).
struct StateFile {
    let path: String

    /// The file's text; nil if it does not exist, can't be read, or is longer than `lengthMax` bytes.
    func text(lengthMax: Int) -> String? { (try? contents(lengthMax: lengthMax)) ?? nil }

    /// The file's text; nil if there is no file.
    /// - Throws: if it can't be read, or is longer than `lengthMax` bytes.
    func contents(lengthMax: Int) throws(SerialStore.Failure) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw .init(path: path, operation: "open", code: errno)
        }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: lengthMax + 1)
        var count = 0
        while count < buffer.count {
            let got = buffer.withUnsafeMutableBytes { bytes in
                let room = UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
                return read(file, room.baseAddress, room.count)
            }
            guard got >= 0 else { throw .init(path: path, operation: "read", code: errno) }
            if got == 0 { break }
            count += got
        }
        guard count <= lengthMax else { throw .init(path: path, operation: "read", code: EFBIG) }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }

    /// Overwrites the first line in place, which needs no space on a full disk. Does nothing if there is no file, or if
    /// its first line is shorter than `line`.
    func overwriteFirstLine(_ line: String) {
        let file = open(path, O_RDWR | O_CLOEXEC)
        guard file >= 0 else { return }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1_024)
        let count = pread(file, &buffer, buffer.count, 0)
        guard count > 0, let end = buffer[..<count].firstIndex(of: UInt8(ascii: "\n")), line.utf8.count <= end else {
            return
        }
        let bytes = Array(line.utf8) + Array(repeating: UInt8(ascii: " "), count: end - line.utf8.count)
        if pwrite(file, bytes, bytes.count, 0) == bytes.count { fsync(file) }
    }

    /// Replaces the file atomically; creates its directory if needed.
    func replace(_ text: String) throws(SerialStore.Failure) {
        if let slash = path.lastIndex(of: "/") { _ = mkdir(String(path[..<slash]), 0o755) }
        do throws(PrivateFile.Failure) {
            try AtomicFile.replace(path, bytes: Array(text.utf8), mode: 0o644)
        } catch {
            guard case .system(let call, let file, let code) = error else {
                throw .init(path: path, operation: "write", code: EIO)
            }
            throw .init(path: file, operation: call, code: code)
        }
    }
}
