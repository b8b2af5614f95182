import NodeIdentity
import ReflectorModel

/// What an operator may do to a running network. Only admins can let nodes in and shut them out.
public enum OperatorRole: String, Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// Reads.
    case view
    /// Also sets and clears overrides.
    case override
    /// Also signs certificates and revocation lists.
    case admin

    /// Whether overrides with this operator's signature are accepted.
    public var maySetOverrides: Bool { self != .view }
    /// Whether certificates and revocation lists with this operator's signature are accepted.
    public var mayCertify: Bool { self == .admin }

    public var description: String { rawValue }
}

/// The file `operators`: the public keys of everybody who may do something to the network. Every node has it; it is not
/// secret, but whoever can change it can take the node over.
///
/// ```
/// operator alice admin 64-HEX-DIGITS       # at most two admins: the old and the new one while the key is rolled
/// operator night override 64-HEX-DIGITS
/// operator wall view 64-HEX-DIGITS
/// ```
public struct OperatorDirectory: Sendable, Hashable {
    /// Largest file in bytes.
    public static let bytesMax = 16_384
    /// Most operators in one file.
    public static let operatorsMax = 64

    /// One line.
    public struct Entry: Sendable, Hashable {
        /// Labels of a host name, lower case.
        public var name: String
        public var role: OperatorRole
        public var key: VerificationKey

        public init(name: String, role: OperatorRole, key: VerificationKey) {
            self.name = name
            self.role = role
            self.key = key
        }

        /// The short name of the key.
        public var id: OperatorKeyID { OperatorKeyID(of: key, LibcryptoIdentityCrypto()) }
    }

    /// In the order of the file.
    public let entries: [Entry]
    /// The keys that sign certificates and revocation lists: those of the admins.
    public let authorities: CertificateAuthorities

    /// Names, keys and ids must be unique, and there must be one or two admins. Errors name `path`.
    public init(_ entries: [Entry], path: String) throws(IdentityFileError) {
        try self.init(entries, lines: [], IdentityLines([], path: path))
    }

    /// The admins.
    public var admins: [Entry] { entries.filter { $0.role.mayCertify } }

    /// Nil if nobody has this key.
    public func entry(with key: VerificationKey) -> Entry? { entries.first { $0.key == key } }
    /// Nil if no key has this id.
    public func entry(with id: OperatorKeyID) -> Entry? { entries.first { $0.id == id } }
    /// Nil if nobody has this name.
    public func entry(named name: String) -> Entry? { entries.first { $0.name == name } }

    /// Reads a file.
    public static func load(_ path: String) throws(IdentityFileError) -> OperatorDirectory {
        try parse(try IdentityFileError.read(path, bytesMax: bytesMax), path: path)
    }

    /// Reads the content of a file. Errors name `path`.
    public static func parse(_ bytes: [UInt8], path: String) throws(IdentityFileError) -> OperatorDirectory {
        var lines = IdentityLines(bytes, path: path)
        var entries: [Entry] = []
        var numbers: [Int] = []
        let form = "operator NAME ROLE HEX-PUBLIC-KEY"
        for line in lines.lines where lines.matches(line, keyword: "operator", form: form) {
            let (name, role, key) = (line.words[1], line.words[2], line.words[3])
            if !ReflectorName.isHost(name.text) {
                lines.complain(line.number, name.column, "a name is labels of a-z, 0-9, - and _ joined by dots")
            }
            let known = OperatorRole(rawValue: role.text)
            if known == nil { lines.complain(line.number, role.column, "a role is `view`, `override` or `admin`") }
            let bytes = Hex.bytes(key.text).flatMap { VerificationKey($0) }
            if bytes == nil {
                lines.complain(line.number, key.column, "a public key is 64 hexadecimal digits of 0-9 and a-f")
            }
            guard let known, let bytes else { continue }
            entries.append(Entry(name: name.text, role: known, key: bytes))
            numbers.append(line.number)
        }
        return try OperatorDirectory(entries, lines: numbers, lines)
    }

    private init(_ entries: [Entry], lines numbers: [Int], _ lines: IdentityLines) throws(IdentityFileError) {
        var lines = lines
        var seen = Set<String>()
        for (index, entry) in entries.enumerated() {
            let line = index < numbers.count ? numbers[index] : 0
            if !seen.insert(entry.name).inserted {
                lines.complain(line, 1, "a second key of \(entry.name); give each key a name of its own")
            }
            if !seen.insert("key \(entry.id)").inserted {
                lines.complain(line, 1, "\(entry.name) has the key of another line; remove one of the two")
            }
        }
        if entries.count > Self.operatorsMax {
            lines.complain(numbers.last ?? 0, 1, "more than \(Self.operatorsMax) operators; remove some")
        }
        let admins = entries.filter { $0.role.mayCertify }.map(\.key)
        if admins.count > CertificateLimits.operatorsMax {
            lines.complain(
                numbers.last ?? 0, 1,
                "more than \(CertificateLimits.operatorsMax) admins; remove the line of the key that is rolled out")
        }
        if admins.isEmpty, lines.problems.isEmpty {
            lines.complain(
                1, 1, "no admin; copy the file `operators` from the operator's folder (`reflector keys init`)")
        }
        try lines.finish()
        do throws(CertificateAuthorities.Invalid) {
            authorities = try CertificateAuthorities(admins, LibcryptoIdentityCrypto())
        } catch {
            throw IdentityFileError(lines.path, "the keys of the admins are unusable: \(error)")
        }
        self.entries = entries
    }

    /// The content of a file.
    public var text: String {
        let comment = "# Whom this network obeys. Not secret, but it must be the same on every node.\n"
        return comment + entries.map { "operator \($0.name) \($0.role) \($0.key)\n" }.joined()
    }

    /// Writes the file, atomically.
    public func write(to path: String) throws(IdentityFileError) { try IdentityFileError.write(text, to: path) }
}
