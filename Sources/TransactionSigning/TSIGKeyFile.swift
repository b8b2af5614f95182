import SecretFiles

/// The private file with a name server's keys.
public enum TSIGKeyFile {
    /// Largest file in bytes.
    private static let lengthMax = 1 << 20

    /// Why the keys of a file can't be used.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Reads a file that only our user can read (`PrivateFile`), in a format that `TSIGKeyring.parse` accepts.
    public static func load(_ path: String) throws(Failure) -> TSIGKeyring {
        let text: String
        do throws(PrivateFile.Failure) {
            text = try PrivateFile.read(path, bytesMax: lengthMax)
        } catch {
            throw Failure(description: error.description)
        }
        switch TSIGKeyring.parse(text) {
        case .success(let keys): return keys
        case .failure(let problems):
            throw Failure(description: problems.list.map { "\(path):\($0)" }.joined(separator: "\n"))
        }
    }
}
