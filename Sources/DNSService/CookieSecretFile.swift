import DNSAnswers
import Glibc

/// The secrets of server cookies, shared by the servers of a zone: one to three lines of 32 hexadecimal digits, `#`
/// comments; the first signs. To roll: add the new secret as second everywhere, then move it up to be the first, and an
/// hour later remove the old one (RFC 9018 §5).
public enum CookieSecretFile {
    /// Why the file can't be used.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        public var description: String
    }

    private static let bytesMax = 4_096

    /// Reads a file that nobody but its owner may read.
    public static func read(_ path: String) throws(Failure) -> ServerCookies {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw failure(path, "open", errno) }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { throw failure(path, "fstat", errno) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw Failure(description: "\(path): not a regular file") }
        guard status.st_mode & 0o077 == 0 else {
            let mode = String(status.st_mode & 0o7777, radix: 8)
            throw Failure(description: "\(path): mode \(mode) lets others in; chmod 600 it")
        }
        var bytes = [UInt8](repeating: 0, count: bytesMax + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { all in
                Glibc.read(file, all.baseAddress.map { $0 + count }, all.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw failure(path, "read", errno) }
            if got == 0 { break }
            count += got
        }
        guard count <= bytesMax else { throw Failure(description: "\(path): more than \(bytesMax) bytes") }
        return try parse(String(decoding: bytes[..<count], as: UTF8.self), path: path)
    }

    static func parse(_ text: String, path: String) throws(Failure) -> ServerCookies {
        var secrets: [ServerCookies.Secret] = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let word = words.first else { continue }
            guard words.count == 1, let secret = ServerCookies.Secret(hexadecimal: word) else {
                throw Failure(
                    description: "\(path):\(number + 1):1: no cookie secret; write 32 hexadecimal digits, one a line")
            }
            secrets.append(secret)
        }
        guard let cookies = ServerCookies(secrets) else {
            throw Failure(
                description:
                    "\(path): \(secrets.count) secrets; give one to \(ServerCookies.secretsMax), the first signs")
        }
        return cookies
    }

    /// Cookies under a secret that is drawn now and known to this process only.
    static func random() -> ServerCookies? {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return ServerCookies.Secret(bytes).flatMap { ServerCookies([$0]) }
    }

    private static func failure(_ path: String, _ operation: String, _ code: Int32) -> Failure {
        Failure(description: "\(path): \(operation): \(String(cString: strerror(code)))")
    }
}
