import SecretFiles

/// The private file of a name server's keys.
public enum TSIGKeyFile {
    /// Largest file in bytes.
    private static let lengthMax = 1 << 20

    /// Why the keys of a file are not used.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    /// Reads a file that only we may read (`PrivateFile`), in a form that `TSIGKeyring.parse` knows.
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
