/// Removes secrets from text for a log or a terminal: stream keys in a URL's query, and user and password before its
/// host.
enum SecretRedaction {
    private static let mark: [UInt8] = Array("…".utf8)
    private static let keyWords: [[UInt8]] = ["?key=", "&key=", "Bearer ", "bearer "].map { Array($0.utf8) }
    private static let authority: [UInt8] = Array("://".utf8)

    static func text(_ text: String) -> String {
        let bytes = Array(text.utf8)
        guard bytes.contains(UInt8(ascii: "=")) || bytes.contains(UInt8(ascii: "@")) || text.contains("earer ") else {
            return text
        }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let rest = bytes[index...]
            if let word = keyWords.first(where: { rest.starts(with: $0) }) {
                result += word + mark
                index += word.count
                while index < bytes.count, !isEnd(bytes[index]), bytes[index] != UInt8(ascii: "&") { index += 1 }
            } else if rest.starts(with: authority) {
                result += authority
                index += authority.count
                let host = bytes[index...].prefix { !isEnd($0) && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
                if let at = host.lastIndex(of: UInt8(ascii: "@")) {
                    result += mark
                    index = at
                }
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// True for a byte that ends a URL in a sentence.
    private static func isEnd(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") || byte == UInt8(ascii: "<")
            || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "#")
    }
}
