import DNSAnswers
import SecretFiles

/// The file with the secrets of server cookies, which the servers of a zone share. It has one to three lines of 32
/// hexadecimal digits, and `#` begins a comment. The first secret signs new cookies. To roll the secret: add the new
/// one in second place on all servers, then move it to first place, and an hour later remove the old one (RFC 9018 §5).
public enum CookieSecretFile {
    /// Why the file can't be used.
    public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
        public var description: String
    }

    private static let bytesMax = 4_096

    /// Reads a file that only our user can read (`PrivateFile`).
    public static func read(_ path: String) throws(Failure) -> ServerCookies {
        let text: String
        do throws(PrivateFile.Failure) {
            text = try PrivateFile.read(path, bytesMax: bytesMax)
        } catch {
            throw Failure(description: error.description)
        }
        return try parse(text, path: path)
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

    /// Server cookies with a new random secret that only this process knows.
    static func random() -> ServerCookies? {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<16).map { _ in UInt8.random(in: 0...255, using: &generator) }
        return ServerCookies.Secret(bytes).flatMap { ServerCookies([$0]) }
    }
}
