import Glibc

/// Reads one file of a `zones/` directory, and reports why a file can't be read.
enum ZoneFileReader {
    /// Largest file in bytes.
    static let bytesMax = MasterFileEntry.fileSizeMax

    /// The problem, and its remedy.
    struct Unreadable: Error {
        var message: String
    }

    static func read(_ path: String) throws(Unreadable) -> [UInt8] {
        // The type is checked before the file is opened: opening a FIFO or a device has side effects.
        var status = stat()
        guard stat(path, &status) == 0 else { throw unreadable(path, errno) }
        try checkRegular(status)
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { throw unreadable(path, errno) }
        defer { close(descriptor) }
        guard fstat(descriptor, &status) == 0 else { throw unreadable(path, errno) }
        try checkRegular(status)
        try checkSize(Int(status.st_size))
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size) + 1)
        var count = 0
        while true {
            // The buffer has room for one byte more than the expected size. If it is full, the file is growing.
            if count == bytes.count { bytes.append(contentsOf: repeatElement(0, count: bytes.count)) }
            let got = bytes.withUnsafeMutableBytes { all in
                let room = UnsafeMutableRawBufferPointer(rebasing: all[count...])
                return Glibc.read(descriptor, room.baseAddress, room.count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw unreadable(path, errno) }
            if got == 0 { break }
            count += got
            try checkSize(count)
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    private static func checkRegular(_ status: stat) throws(Unreadable) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: return
        case S_IFDIR: throw Unreadable(message: "a folder, not a file; move it away, or give it another name")
        case S_IFIFO: throw Unreadable(message: "a FIFO, not a regular file; remove it, or put a file here")
        case S_IFSOCK: throw Unreadable(message: "a socket, not a regular file; remove it, or put a file here")
        default: throw Unreadable(message: "a device, not a regular file; remove it, or put a file here")
        }
    }

    private static func checkSize(_ count: Int) throws(Unreadable) {
        guard count <= bytesMax else {
            throw Unreadable(message: "file of \(count) bytes is over the limit of \(bytesMax); split the zone")
        }
    }

    private static func unreadable(_ path: String, _ code: Int32) -> Unreadable {
        switch code {
        case ENOENT: Unreadable(message: "a link that leads nowhere\(target(path)); correct or remove it")
        case ELOOP: Unreadable(message: "symbolic links that lead in a cycle\(target(path)); correct or remove them")
        case EACCES: Unreadable(message: "no permission to read it; check its mode and owner")
        default: Unreadable(message: "can't be read: \(String(cString: strerror(code)))")
        }
    }

    /// ` (to TARGET)`, or nothing if the link can't be read.
    private static func target(_ path: String) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &buffer, buffer.count)
        guard count > 0 else { return "" }
        return " (to \(String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)))"
    }
}
