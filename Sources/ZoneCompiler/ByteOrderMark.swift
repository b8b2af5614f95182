/// The three bytes that some editors write before UTF-8 text (RFC 3629 §6). They are invisible in such editors, and
/// would become part of a name in a zone file.
enum ByteOrderMark {
    private static let bytes: [UInt8] = [0xef, 0xbb, 0xbf]

    /// The offset at which the text begins. If a byte order mark precedes the text, reports it.
    static func end(_ file: [UInt8], _ problems: inout ProblemList) -> Int {
        guard file.starts(with: bytes) else { return 0 }
        problems.error(
            1, 1, "the file begins with a UTF-8 byte order mark; remove it: save the file as UTF-8 without BOM")
        return bytes.count
    }
}
