import Glibc

/// The private file of a name server's keys.
public enum TSIGKeyFile {
    /// Largest file in bytes.
    private static let lengthMax = 1 << 20

    /// Why the keys of a file are not used.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Reads a file of mode 0600 or stricter that belongs to us, in a form that `TSIGKeyring.parse` knows. The checks
    /// are made on the open file, not on its name.
    public static func load(_ path: String) throws(Failure) -> TSIGKeyring {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Failure(description: "\(path): \(String(cString: strerror(errno)))") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw Failure(description: "\(path): not a regular file")
        }
        guard status.st_uid == geteuid() else {
            throw Failure(description: "\(path): belongs to user \(status.st_uid), not to us (\(geteuid())); chown it")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw Failure(
                description: "\(path): mode \(String(status.st_mode & 0o7777, radix: 8)) lets others in; chmod 600 it")
        }
        var bytes = [UInt8](repeating: 0, count: lengthMax + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { all in
                read(descriptor, all.baseAddress.map { $0 + count }, all.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw Failure(description: "\(path): \(String(cString: strerror(errno)))") }
            if got == 0 { break }
            count += got
        }
        guard count <= lengthMax else { throw Failure(description: "\(path): over \(lengthMax) bytes") }
        switch TSIGKeyring.parse(String(decoding: bytes[..<count], as: UTF8.self)) {
        case .success(let keys): return keys
        case .failure(let problems):
            throw Failure(description: problems.list.map { "\(path):\($0)" }.joined(separator: "\n"))
        }
    }
}
