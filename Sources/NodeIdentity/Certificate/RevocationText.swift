import ReflectorModel

/// The text of a revocation list, as operators copy it and as it stands in `ZONE.revocations`:
///
/// ```
/// # reflector.net: list 12 of 2026-11-27, 3 certificates revoked
/// revocation-list 0105…          # 32 bytes a line, in lower-case hexadecimal digits
/// revocation-list 9a41…          # the bytes of all lines together are the list
/// ```
/// `#` and `;` begin comments, and the last line ends with a newline too.
public enum RevocationText {
    public static let keyword = "revocation-list"
    /// Largest text in bytes: a full list, and as much again for comments.
    public static let bytesMax = 262_144
    /// Most problems reported of one text.
    public static let problemsMax = 100
    /// Bytes of a list on one line, as `write` writes it.
    private static let bytesPerLine = 32

    /// A position, and what to do there.
    public struct Problem: Hashable, Sendable {
        /// Starting at 1.
        public var line: Int
        /// In bytes, starting at 1.
        public var column: Int
        public var text: String
    }

    /// Why a text is not a revocation list: all problems in the order of lines, at least one.
    public struct Problems: Error, Hashable, Sendable {
        public var problems: [Problem]
    }

    /// A list, and where it begins, for later problems with it.
    public struct Parsed: Sendable {
        public var list: RevocationList
        /// Of the first `revocation-list` line.
        public var line: Int
        /// Of the first hexadecimal digit.
        public var column: Int
    }

    /// Reads a whole text. The list must be of this zone (nil: of any). The signature is not verified:
    /// `CertificateAuthorities.accepts` does that.
    public static func parse(_ text: some Collection<UInt8>, zone: String?) throws(Problems) -> Parsed {
        var parser = RevocationTextParser()
        parser.read(text)
        return try parser.finish(zone: zone)
    }

    /// The `revocation-list` lines of a list, without comments.
    public static func write(_ list: RevocationList) -> String {
        let bytes = list.encoded
        var text = ""
        text.reserveCapacity(bytes.count * 2 + (bytes.count / bytesPerLine + 1) * (keyword.utf8.count + 2))
        for start in stride(from: 0, to: bytes.count, by: bytesPerLine) {
            text += keyword + " "
            for byte in bytes[start..<min(start + bytesPerLine, bytes.count)] {
                text += (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
            text += "\n"
        }
        return text
    }
}
