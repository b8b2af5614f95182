/// The three bytes that some editors write before UTF-8 text (RFC 3629 §6). They are invisible there and would become
/// part of a name here.
enum ByteOrderMark {
    private static let bytes: [UInt8] = [0xef, 0xbb, 0xbf]

    /// Offset at which the text begins; reports a byte order mark before it.
    static func end(_ file: [UInt8], _ problems: inout ProblemList) -> Int {
        guard file.starts(with: bytes) else { return 0 }
        problems.error(
            1, 1, "the file begins with a UTF-8 byte order mark; remove it: save the file as UTF-8 without BOM")
        return bytes.count
    }
}
