import NodeIdentity
import ReflectorModel

/// The file `issued` of an operator: every certificate that he signed, and every one that he revoked. It makes sure that
/// no serial is used twice, and knows which certificate a revoked name had.
///
/// ```
/// issued SERIAL ZONE NAME ROLE REGION NOT-BEFORE NOT-AFTER HEX-PUBLIC-KEY    # times in seconds since 1970
/// revoked SERIAL ZONE SEQUENCE TIME WHY…                                     # in the list of this number
/// ```
/// REGION is `-`, an edge's region (`r1283`) or a set region (`nyc`).
public struct IssuedFile: Sendable, Hashable {
    /// Largest file in bytes: some 60,000 certificates.
    public static let bytesMax = 1 << 24

    /// One certificate.
    public struct Entry: Sendable, Hashable {
        public var serial: UInt64
        public var zone: String
        public var name: String
        public var role: CertifiedRole
        public var region: CertifiedRegion
        /// In seconds since 1970.
        public var notBefore: UInt64
        public var notAfter: UInt64
        public var key: VerificationKey

        public init(_ content: CertificateContent) {
            serial = content.serial
            zone = content.zone
            name = content.name
            role = content.role
            region = content.region
            notBefore = content.notBefore
            notAfter = content.notAfter
            key = content.publicKey
        }

        fileprivate init(
            serial: UInt64, zone: String, name: String, role: CertifiedRole, region: CertifiedRegion, notBefore: UInt64,
            notAfter: UInt64, key: VerificationKey
        ) {
            self.serial = serial
            self.zone = zone
            self.name = name
            self.role = role
            self.region = region
            self.notBefore = notBefore
            self.notAfter = notAfter
            self.key = key
        }
    }

    /// One revoked certificate.
    public struct Revoked: Sendable, Hashable {
        public var serial: UInt64
        public var zone: String
        /// Of the first list that has it.
        public var sequence: UInt64
        /// In seconds since 1970.
        public var time: UInt64
        public var why: String
    }

    /// Oldest first.
    public private(set) var entries: [Entry] = []
    public private(set) var revoked: [Revoked] = []

    public init() {}

    public mutating func add(_ content: CertificateContent) { entries.append(Entry(content)) }

    /// Notes a revocation. Spaces and comment signs in `why` are replaced, since it is the end of a line.
    public mutating func add(revoked serial: UInt64, zone: String, sequence: UInt64, time: UInt64, why: String) {
        revoked.append(Revoked(serial: serial, zone: zone, sequence: sequence, time: time, why: Self.oneLine(why)))
    }

    /// Whether a certificate is in a list.
    public func isRevoked(_ serial: UInt64, zone: String) -> Bool {
        revoked.contains { $0.serial == serial && $0.zone == zone }
    }

    /// The certificates of a name that have neither expired nor been revoked.
    public func live(name: String, zone: String, at seconds: UInt64) -> [Entry] {
        entries.filter {
            $0.name == name && $0.zone == zone && seconds < $0.notAfter && !isRevoked($0.serial, zone: zone)
        }
    }

    /// The next serial of an operator. The upper half is the operator's, so that two operators never use one serial.
    public func nextSerial(of id: OperatorKeyID) -> UInt64 {
        let prefix = Self.serialPrefix(of: id)
        let last = entries.lazy.map(\.serial).filter { $0 >> 32 == prefix >> 32 }.max() ?? prefix
        return last + 1
    }

    /// The lowest serial of an operator's range.
    static func serialPrefix(of id: OperatorKeyID) -> UInt64 { (id.rawValue >> 48) << 32 }

    private static func oneLine(_ text: String) -> String {
        let words = text.split { $0.isWhitespace || $0.isNewline || $0 == "#" || $0 == ";" }
        return words.isEmpty ? "-" : words.joined(separator: " ")
    }
}

/// Its text.
extension IssuedFile {
    /// Reads a file.
    public static func load(_ path: String) throws(IdentityFileError) -> IssuedFile {
        try parse(try IdentityFileError.read(path, bytesMax: bytesMax), path: path)
    }

    /// Writes the file, atomically.
    public func write(to path: String) throws(IdentityFileError) { try IdentityFileError.write(text, to: path) }

    /// The content of a file.
    public var text: String {
        var text = "# Every certificate signed and revoked here. Keep it: `reflector keys revoke` needs it.\n"
        for entry in entries {
            let region = entry.region == .none ? "-" : "\(entry.region)"
            text += "issued \(entry.serial) \(entry.zone) \(entry.name) \(entry.role) \(region) "
            text += "\(entry.notBefore) \(entry.notAfter) \(entry.key)\n"
        }
        for line in revoked {
            text += "revoked \(line.serial) \(line.zone) \(line.sequence) \(line.time) \(line.why)\n"
        }
        return text
    }

    /// Reads the content of a file. Errors name `path`.
    public static func parse(_ bytes: [UInt8], path: String) throws(IdentityFileError) -> IssuedFile {
        var lines = IdentityLines(bytes, path: path)
        var file = IssuedFile()
        for line in lines.lines {
            let words = line.words.map(\.text)
            let isUnderstood =
                switch words[0] {
                case "issued": file.readIssued(words)
                case "revoked": file.readRevoked(words)
                default: false
                }
            if !isUnderstood {
                lines.complain(
                    line.number, line.words[0].column,
                    "a line is `issued SERIAL ZONE NAME ROLE REGION NOT-BEFORE NOT-AFTER HEX-PUBLIC-KEY` or "
                        + "`revoked SERIAL ZONE SEQUENCE TIME WHY`; restore the file from a copy")
            }
        }
        var seen = Set<String>()
        for entry in file.entries where !seen.insert("\(entry.serial) \(entry.zone)").inserted {
            lines.complain(1, 1, "serial \(entry.serial) twice in \(entry.zone); restore the file from a copy")
        }
        try lines.finish()
        return file
    }

    private mutating func readIssued(_ words: [String]) -> Bool {
        guard words.count == 9, let serial = Self.number(words[1]), serial > 0, ReflectorName.isHost(words[2]),
            ReflectorName.isHost(words[3]),
            let role = CertifiedRole.allCases.first(where: { $0.description == words[4] }),
            let region = CertifiedRegion(words[5], of: role), let notBefore = Self.number(words[6]),
            let notAfter = Self.number(words[7]), let key = Hex.bytes(words[8]).flatMap({ VerificationKey($0) })
        else { return false }
        entries.append(
            Entry(
                serial: serial, zone: words[2], name: words[3], role: role, region: region, notBefore: notBefore,
                notAfter: notAfter, key: key))
        return true
    }

    private mutating func readRevoked(_ words: [String]) -> Bool {
        guard words.count >= 6, let serial = Self.number(words[1]), ReflectorName.isHost(words[2]),
            let sequence = Self.number(words[3]), let time = Self.number(words[4])
        else { return false }
        let why = words[5...].joined(separator: " ")
        revoked.append(Revoked(serial: serial, zone: words[2], sequence: sequence, time: time, why: why))
        return true
    }

    private static func number(_ text: String) -> UInt64? {
        UInt64(text).flatMap { String($0) == text ? $0 : nil }
    }
}

extension CertifiedRegion {
    /// Reads a region as it is written for a role: `-`, `r1283` or the name of a set region.
    public init?(_ text: String, of role: CertifiedRole) {
        switch role {
        case _ where text == "-": self = .none
        case .edge:
            guard let region = RegionID(label: text) else { return nil }
            self = .edge(region)
        case .set: self = .set(text)
        default: return nil
        }
    }
}
