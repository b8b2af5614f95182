import CCrypto
import NodeIdentity
import ReflectorModel
import SecretFiles

/// The file of one private key, of mode 0600:
///
/// ```
/// operator-private NAME 64-HEX-DIGITS    # signs certificates; kept off the network
/// node-private NAME 64-HEX-DIGITS        # of the node NAME; made on its machine, never leaves it
/// ```
/// It has exactly one such line. `#` and `;` begin comments.
public struct IdentityKeyFile: ~Copyable {
    /// Largest file in bytes.
    public static let bytesMax = 4_096

    public enum Owner: String, Sendable {
        case `operator` = "operator-private"
        case node = "node-private"
    }

    /// Why a file was not read or written. Never contains a secret.
    public enum Failure: Error, Equatable, CustomStringConvertible {
        case file(PrivateFile.Failure)
        /// Line and column count from 1.
        case syntax(path: String, line: Int, column: Int, text: String)
        case noKey(path: String)
        case crypto(path: String, IdentityCryptoError)

        public var description: String {
            switch self {
            case .file(let failure): failure.description
            case .syntax(let path, let line, let column, let text): "\(path):\(line):\(column): \(text)"
            case .noKey(let path):
                "\(path): no key; it has one line, `operator-private NAME 64-HEX-DIGITS` or `node-private …`"
            case .crypto(let path, let error): "\(path): \(error)"
            }
        }
    }

    public let owner: Owner
    /// Of the operator, or the host name of the node: lower case.
    public let name: String
    public let key: Ed25519PrivateKey

    /// Nil if the name is not a host name in lower case.
    public init?(owner: Owner, name: String, key: consuming Ed25519PrivateKey) {
        guard ReflectorName.isHost(name) else { return nil }
        self.owner = owner
        self.name = name
        self.key = key
    }

    /// Reads a file. Throws if other users can read it.
    public init(loading path: String) throws(Failure) {
        var parser = IdentityKeyParser(path: path)
        do throws(PrivateFile.Failure) {
            try PrivateFile.withBytes(path, bytesMax: Self.bytesMax) { parser.read($0) }
        } catch {
            throw .file(error)
        }
        try self.init(parser.finish(), path: path)
    }

    /// Reads the content of a file; the caller wipes it. Errors name `path`.
    init(parsing bytes: UnsafeRawBufferPointer, path: String) throws(Failure) {
        var parser = IdentityKeyParser(path: path)
        parser.read(bytes)
        try self.init(parser.finish(), path: path)
    }

    private init(_ line: consuming IdentityKeyParser.Line, path: String) throws(Failure) {
        owner = line.owner
        name = line.name
        do throws(IdentityCryptoError) {
            key = try line.makeKey()
        } catch {
            throw .crypto(path: path, error)
        }
    }

    /// Writes a new file of mode 0600; never overwrites an existing file.
    public borrowing func write(to path: String) throws(Failure) {
        var bytes = Array("\(owner.rawValue) \(name) ".utf8)
        // Room for everything: an array that grows would leave its old memory behind.
        bytes.reserveCapacity(bytes.count + 2 * KeyPointer.length + 1)
        do throws(IdentityCryptoError) {
            let seed = try key.seed()
            seed.withBytes { seed in
                for byte in seed {
                    bytes.append(Self.digit(byte >> 4))
                    bytes.append(Self.digit(byte & 15))
                }
            }
        } catch {
            throw .crypto(path: path, error)
        }
        bytes.append(UInt8(ascii: "\n"))
        defer { bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        do throws(PrivateFile.Failure) {
            try PrivateFile.create(path, bytes: bytes)
        } catch {
            throw .file(error)
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
