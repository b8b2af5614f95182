/// The three bytes that some editors put before UTF-8 text (RFC 3629 §6): they are invisible there and not part of a
/// name here.
enum ByteOrderMark {
    private static let bytes: [UInt8] = [0xef, 0xbb, 0xbf]

    /// Where the text begins; reports a mark before it.
    static func end(_ file: [UInt8], _ problems: inout ProblemList) -> Int {
        guard file.starts(with: bytes) else { return 0 }
        problems.error(
            1, 1, "the file begins with a UTF-8 byte order mark; remove it: save the file as UTF-8 without BOM")
        return bytes.count
    }
}
