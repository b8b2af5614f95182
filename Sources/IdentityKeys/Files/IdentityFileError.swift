import SecretFiles

/// All problems of one or more identity files at once. Never contains a secret.
public struct IdentityFileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One problem and its remedy. `line` and `column` count from 1, and are 0 for a problem of the whole file.
    public struct Problem: Hashable, Sendable, CustomStringConvertible {
        public var path: String
        public var line: Int
        /// In bytes.
        public var column: Int
        public var text: String

        public init(path: String, line: Int = 0, column: Int = 0, text: String) {
            self.path = path
            self.line = line
            self.column = column
            self.text = text
        }

        public var description: String { line == 0 ? "\(path): \(text)" : "\(path):\(line):\(column): \(text)" }
    }

    public var problems: [Problem]

    public init(problems: [Problem]) { self.problems = problems }

    /// One problem of a whole file or folder.
    public init(_ path: String, _ text: String) { self.init(problems: [Problem(path: path, text: text)]) }

    public var description: String { problems.map(\.description).joined(separator: "\n") }

    /// Reads a file that only its owner can write, or whose content is signed.
    static func read(_ path: String, bytesMax: Int, isSigned: Bool = false) throws(IdentityFileError) -> [UInt8] {
        do throws(PrivateFile.Failure) {
            return try TrustedFile.read(path, bytesMax: bytesMax, isSigned: isSigned)
        } catch {
            throw IdentityFileError(path, without(path, error.description))
        }
    }

    /// Writes a file that everybody may read, atomically.
    static func write(_ text: String, to path: String) throws(IdentityFileError) {
        do throws(PrivateFile.Failure) {
            try TrustedFile.replace(path, text: text)
        } catch {
            throw IdentityFileError(path, without(path, error.description))
        }
    }

    /// Creates a folder that only we can open, unless it is there.
    static func makeFolder(_ path: String) throws(IdentityFileError) {
        do throws(PrivateFile.Failure) {
            try PrivateFolder.make(path)
        } catch {
            throw IdentityFileError(path, without(path, error.description))
        }
    }

    /// A message without the path at its beginning, which the problem has already.
    static func without(_ path: String, _ text: String) -> String {
        text.hasPrefix("\(path): ") ? String(text.dropFirst(path.count + 2)) : text
    }
}
