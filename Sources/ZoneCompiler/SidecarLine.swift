/// A word of a file with its position.
struct Word: Equatable {
    var text: String
    var line: Int
    /// Column in bytes, starting at 1.
    var column: Int

    /// The part starting at byte `offset`, with its own column.
    func dropping(_ offset: Int) -> Word {
        Word(text: String(decoding: text.utf8.dropFirst(offset), as: UTF8.self), line: line, column: column + offset)
    }

    /// Parts between separators, with their own columns; empty parts are kept.
    func split(_ separator: Character) -> [Word] {
        var column = self.column
        return text.split(separator: separator, omittingEmptySubsequences: false).map { part in
            defer { column += part.utf8.count + 1 }
            return Word(text: String(part), line: line, column: column)
        }
    }
}

/// An option `key=value`. The column of `value` is where the value itself begins.
struct Option: Equatable {
    var key: Word
    var value: Word
}

/// One line of a sidecar that is neither blank nor a comment: a keyword, positional words, then options in any order.
struct SidecarLine: Equatable {
    var keyword: Word
    var words: [Word] = []
    var options: [Option] = []
    /// The position just after the last word, where a missing word is reported.
    var end: Word

    /// Longest line in bytes.
    static let lengthMax = 16_384
    /// Largest file in bytes.
    static let fileSizeMax = 64 << 20
    /// Maximum number of lines that are neither blank nor comments.
    static let countMax = 400_000

    /// Splits a sidecar into lines. Reports overlong lines, a missing final newline, and control bytes or bytes beyond
    /// ASCII outside comments.
    static func read(_ bytes: [UInt8], _ problems: inout ProblemList) -> [SidecarLine] {
        guard bytes.count <= fileSizeMax else {
            problems.error(1, 1, "file of \(bytes.count) bytes is over the limit of \(fileSizeMax); split the zone")
            return []
        }
        var lines: [SidecarLine] = []
        var number = 0
        var start = ByteOrderMark.end(bytes, &problems)
        while start < bytes.count {
            number += 1
            let end = bytes[start...].firstIndex(of: newline) ?? bytes.count
            if end == bytes.count {
                problems.error(
                    number, end - start + 1,
                    "no newline at the end of the file: it may have been cut short; end the last line with a newline")
            }
            if end - start > lengthMax {
                problems.error(number, 1, "line of \(end - start) bytes is over the limit of \(lengthMax); shorten it")
            } else if let line = parse(bytes[start..<end], number, &problems) {
                guard lines.count < countMax else {
                    problems.error(number, 1, "more than \(countMax) lines; split the zone")
                    return lines
                }
                lines.append(line)
            }
            start = end + 1
        }
        return lines
    }

    private static let newline = UInt8(ascii: "\n")

    private static func parse(_ bytes: ArraySlice<UInt8>, _ number: Int, _ problems: inout ProblemList) -> SidecarLine?
    {
        var line: SidecarLine?
        var at = bytes.startIndex
        while at < bytes.endIndex {
            let byte = bytes[at]
            if byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") {
                at += 1
                continue
            }
            if byte == UInt8(ascii: "#") || byte == UInt8(ascii: ";") { break }
            let first = at
            var equals: Int?
            while at < bytes.endIndex, bytes[at] > 0x20, bytes[at] < 0x7f {
                if equals == nil, bytes[at] == UInt8(ascii: "=") { equals = at }
                at += 1
            }
            if at < bytes.endIndex, bytes[at] < 0x09 || bytes[at] > 0x7e || (bytes[at] > 0x0d && bytes[at] < 0x20) {
                let hex = String(bytes[at], radix: 16)
                problems.error(
                    number, at - bytes.startIndex + 1,
                    "byte 0x\(hex) does not belong in this file; use plain ASCII (other letters only in comments)")
                return line
            }
            if at == first {
                // Vertical tab or form feed.
                at += 1
                continue
            }
            let word = Word(
                text: String(decoding: bytes[first..<at], as: UTF8.self), line: number,
                column: first - bytes.startIndex + 1)
            let behind = Word(text: "", line: number, column: at - bytes.startIndex + 1)
            guard line != nil else {
                line = SidecarLine(keyword: word, end: behind)
                continue
            }
            line?.end = behind
            if let equals {
                var key = word
                key.text = String(decoding: bytes[first..<equals], as: UTF8.self)
                line?.options.append(Option(key: key, value: word.dropping(equals - first + 1)))
            } else {
                line?.words.append(word)
            }
        }
        return line
    }
}

/// The options of a line, by key. Each key must be a known one and may occur only once.
struct OptionTable {
    private var values: [String: Word] = [:]

    /// Reports unknown and repeated keys and empty values.
    init(_ line: SidecarLine, known: [String], _ problems: inout ProblemList) {
        for option in line.options {
            let key = option.key.text
            if !known.contains(key) {
                let hint = known.isEmpty ? "it takes none" : "it knows " + known.map { "\($0)=" }.joined(separator: " ")
                problems.error(option.key, "unknown option '\(key)=' on a '\(line.keyword.text)' line; \(hint)")
            } else if values[key] != nil {
                problems.error(option.key, "'\(key)=' twice on one line; keep one")
            } else if option.value.text.isEmpty {
                problems.error(
                    option.key, "'\(key)=' without a value; write \(key)=VALUE without spaces, or leave it out")
            } else {
                values[key] = option.value
            }
        }
    }

    subscript(key: String) -> Word? { values[key] }
}
