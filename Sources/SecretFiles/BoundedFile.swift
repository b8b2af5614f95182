import Glibc

/// Reads a file whose size is limited and whose owner is right.
enum BoundedFile {
    /// Passes the bytes to `body` and wipes them afterwards.
    /// - Parameter check: gets the status and the descriptor of the open file; throws if its permissions are wrong.
    static func withBytes<Value>(
        _ path: String, bytesMax: Int, _ check: (stat, Int32) throws(PrivateFile.Failure) -> Void,
        _ body: (UnsafeRawBufferPointer) -> Value
    ) throws(PrivateFile.Failure) -> Value {
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
        try check(status, descriptor)
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
}
