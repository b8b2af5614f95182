import NodeIdentity

/// The lines of an identity file: words separated by spaces and tabs, comments after `#` or `;`, and a newline at the end
/// of the last line too. Collects the problems of its reader.
struct IdentityLines {
    /// Most problems that are kept of one file.
    static let problemsMax = 100

    /// A word of a line. Columns count from 1, in bytes.
    struct Word {
        var text: String
        var column: Int
    }

    /// A line that has words.
    struct Line {
        var number: Int
        var words: [Word]
        /// The column after the last byte.
        var end: Int
    }

    let path: String
    private(set) var lines: [Line] = []
    private(set) var problems: [IdentityFileError.Problem] = []

    init(_ bytes: [UInt8], path: String) {
        self.path = path
        let all = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, content) in all.enumerated() {
            let words = Self.words(content)
            if !words.isEmpty { lines.append(Line(number: index + 1, words: words, end: content.count + 1)) }
        }
        if let last = all.last, !last.isEmpty {
            complain(all.count, last.count + 1, "the last line has no newline: was the file cut off? add one")
        }
    }

    mutating func complain(_ line: Int, _ column: Int, _ text: String) {
        guard problems.count < Self.problemsMax else { return }
        problems.append(IdentityFileError.Problem(path: path, line: line, column: column, text: text))
    }

    /// True if a line begins with `keyword` and has as many words as `form`. Otherwise notes a problem.
    mutating func matches(_ line: Line, keyword: String, form: String) -> Bool {
        guard line.words[0].text == keyword else {
            complain(line.number, line.words[0].column, "unknown word; a line is `\(form)`")
            return false
        }
        let count = form.split(separator: " ").count
        guard line.words.count == count else {
            let column = line.words.count < count ? line.end : line.words[count].column
            complain(line.number, column, "a line has \(count) words: write `\(form)`")
            return false
        }
        return true
    }

    /// Throws if there were problems.
    func finish() throws(IdentityFileError) {
        guard problems.isEmpty else { throw IdentityFileError(problems: problems) }
    }

    private static func words(_ content: ArraySlice<UInt8>) -> [Word] {
        let end = content.firstIndex { $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: ";") } ?? content.endIndex
        return content[..<end].split {
            $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r")
        }.map { Word(text: String(decoding: $0, as: UTF8.self), column: $0.startIndex - content.startIndex + 1) }
    }
}

/// Bytes as lower-case hexadecimal digits.
public enum Hex {
    /// Nil unless the text has only lower-case digits, two for each byte.
    public static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    public static func text(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
