import ReflectorModel
import SecretFiles

/// The keys with which encoders push streams, in a file of mode 0600 at each entrypoint, apart from `zones/`.
///
/// ```
/// stream live/news KEY               # the key with which an encoder pushes live/news
/// stream live/* KEY                  # and every other stream below live/
/// ```
/// Lines end with a newline; `#` and `;` begin comments.
public struct KeyFile: Sendable, Equatable {
    /// Largest file in bytes.
    public static let bytesMax = 1 << 20
    /// Characters of a stream key: `A-Z a-z 0-9 - . _ ~`, which need no escaping in a URL (RFC 3986 §2.3).
    public static let streamKeyLength = 8...128

    public var streamKeys: StreamKeys

    public init(streamKeys: StreamKeys) { self.streamKeys = streamKeys }

    /// One problem of a key file; `line` and `column` count from 1 and are 0 for a problem of the whole file.
    public struct Problem: Error, Sendable, Equatable, CustomStringConvertible {
        public var path: String
        public var line: Int
        public var column: Int
        public var text: String
        public var description: String { line == 0 ? text : "\(path):\(line):\(column): \(text)" }
    }

    /// All problems of a file at once. Never contains a secret.
    public struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
        public var problems: [Problem]
        public var description: String { problems.map(\.description).joined(separator: "\n") }
    }

    /// Reads a key file. Throws if other users can read it.
    public static func load(_ path: String) throws(Invalid) -> KeyFile {
        let text: String
        do throws(PrivateFile.Failure) {
            text = try PrivateFile.read(path, bytesMax: bytesMax)
        } catch {
            throw Invalid(problems: [Problem(path: path, line: 0, column: 0, text: error.description)])
        }
        return try parse(text, path: path)
    }

    /// Reads the text of a key file; the problems name `path`.
    public static func parse(_ text: String, path: String) throws(Invalid) -> KeyFile {
        var parser = KeyFileParser(path: path)
        parser.read(text)
        guard parser.problems.isEmpty else { throw Invalid(problems: parser.problems) }
        return KeyFile(streamKeys: parser.streamKeys)
    }
}
