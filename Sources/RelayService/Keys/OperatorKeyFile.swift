import PacketSealing
import SecretFiles

/// The secret with which an operator signs overrides, in a file of mode 0600 only on the operator's machine. Nodes and
/// name servers have only the public key, so a disk stolen from them does not allow anybody to sign overrides.
///
/// ```
/// operator-secret 1 64-HEX-DIGITS     # the first signs; phase 0 to 255, as in the public line
/// ```
public struct OperatorKeyFile: Sendable, Equatable {
    /// Suffix of the operator's file beside a key file.
    public static let suffix = ".operator"

    /// Ed25519 seeds of 32 bytes; the first is used for signing.
    public var secrets: [KeyFile.NetworkKey]

    /// A fresh key from the system's random source.
    public static func generate(phase: UInt8 = 1) -> OperatorKeyFile {
        var random = SystemRandomNumberGenerator()
        let seed = KeyFile.randomBytes(KeyFile.networkKeyBytes, from: &random)
        return OperatorKeyFile(secrets: [KeyFile.NetworkKey(phase: phase, bytes: seed)])
    }

    /// The public keys, for the key files of nodes and name servers.
    public var publicKeys: [KeyFile.NetworkKey] {
        secrets.compactMap { secret in
            Ed25519.publicKey(seed: secret.bytes).map { KeyFile.NetworkKey(phase: secret.phase, bytes: $0) }
        }
    }

    /// The `operator-public …` lines, one for each key.
    public var publicLines: [String] {
        publicKeys.map { "operator-public \($0.phase) \(KeyFile.hex($0.bytes))" }
    }

    /// Reads a file. Throws if other users can read it.
    public static func load(_ path: String) throws(KeyFile.Invalid) -> OperatorKeyFile {
        let text: String
        do throws(PrivateFile.Failure) {
            text = try PrivateFile.read(path, bytesMax: KeyFile.bytesMax)
        } catch {
            throw KeyFile.Invalid(problems: [.init(path: path, line: 0, column: 0, text: error.description)])
        }
        var parser = KeyFileParser(path: path, form: .operators)
        parser.read(text)
        guard parser.problems.isEmpty else { throw KeyFile.Invalid(problems: parser.problems) }
        return OperatorKeyFile(secrets: parser.operatorKeys)
    }

    /// Writes a new file of mode 0600; never overwrites an existing file.
    public func write(to path: String) throws(KeyFile.Invalid) {
        let lines =
            ["# Signs overrides: only for operators, never for nodes or name servers."]
            + secrets.map { "operator-secret \($0.phase) \(KeyFile.hex($0.bytes))" }
        do throws(PrivateFile.Failure) {
            try PrivateFile.create(path, text: lines.joined(separator: "\n") + "\n")
        } catch {
            throw KeyFile.Invalid(problems: [.init(path: path, line: 0, column: 0, text: error.description)])
        }
    }
}
