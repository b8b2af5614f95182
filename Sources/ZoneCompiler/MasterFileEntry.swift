/// One entry of a master file (RFC 1035 §5.1): a record or a control entry, as words with their positions. This code
/// finds where each entry begins and ends, so that every error has a line and column, and reading continues after an
/// error.
struct MasterFileEntry: Equatable {
    /// Words in order, with quotes and escapes as written, without parentheses and comments.
    var words: [Word]
    /// True if the entry begins with white space: its owner is that of the previous entry.
    var ownerOmitted: Bool

    /// Largest file in bytes.
    static let fileSizeMax = 64 << 20
    /// Maximum number of entries.
    static let countMax = 1_000_000
    /// Maximum length of an entry in bytes: its words on all lines, each with one separator.
    static let lengthMax = 9_000
    /// After an unclosed parenthesis, reading resumes at the line that follows it, but at most this many times for a
    /// file: each unclosed parenthesis costs a scan to the end of the file.
    private static let recoveriesMax = 16

    /// Splits a file into entries. Invalid entries are reported and left out.
    static func read(_ bytes: [UInt8], _ problems: inout ProblemList) -> [MasterFileEntry] {
        guard bytes.count <= fileSizeMax else {
            problems.error(1, 1, "file of \(bytes.count) bytes is over the limit of \(fileSizeMax); split the zone")
            return []
        }
        var cutter = Cutter(bytes: bytes)
        cutter.at = ByteOrderMark.end(bytes, &problems)
        while cutter.at < bytes.count {
            cutter.entry(&problems)
            if cutter.entries.count > countMax {
                problems.error(cutter.line, 1, "more than \(countMax) records; split the zone")
                break
            }
        }
        if let last = bytes.last, last != newline {
            problems.error(
                cutter.line, cutter.column,
                "no newline at the end of the file: it may have been cut short; end the last line with a newline")
        }
        return cutter.entries
    }

    private static let newline = UInt8(ascii: "\n")

    private struct Cutter {
        let bytes: [UInt8]
        var at = 0
        var line = 1
        var lineStart = 0
        var entries: [MasterFileEntry] = []
        var recoveries = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var column: Int { at - lineStart + 1 }

        /// Reads one entry, or skips one line that is blank or a comment.
        mutating func entry(_ problems: inout ProblemList) {
            let blank = bytes[at] == 0x20 || bytes[at] == 0x09
            var words: [Word] = []
            var open: (at: Int, line: Int, lineStart: Int)?
            var isBroken = false
            var hasParameters = false
            let start = at
            scan: while at < bytes.count {
                let byte = bytes[at]
                switch byte {
                case newline:
                    at += 1
                    line += 1
                    lineStart = at
                    if open == nil { break scan }
                case 0x20, 0x09, 0x0d:
                    at += 1
                case UInt8(ascii: ";"):
                    while at < bytes.count, bytes[at] != newline { at += 1 }
                case UInt8(ascii: "("):
                    if open != nil {
                        problems.error(line, column, "'(' inside parentheses; close the first before opening another")
                        isBroken = true
                    } else {
                        open = (at, line, lineStart)
                    }
                    at += 1
                case UInt8(ascii: ")"):
                    if open == nil {
                        problems.error(line, column, "')' without '('; remove it or open it before")
                        isBroken = true
                    }
                    open = nil
                    at += 1
                default:
                    guard let word = word(isParameter: hasParameters, &problems) else {
                        isBroken = true
                        continue
                    }
                    if !isBroken { words.append(word) }
                    // At most three words precede the type: owner, TTL and class.
                    if words.count <= 4, Self.hasParameters(word) { hasParameters = true }
                }
            }
            if let open {
                problems.error(
                    open.line, open.at - open.lineStart + 1, "'(' is never closed; add ')' at the end of the record")
                isBroken = true
                recoveries += 1
                if recoveries <= MasterFileEntry.recoveriesMax {
                    (at, line, lineStart) = (open.at, open.line, open.lineStart)
                    while at < bytes.count, bytes[at] != newline { at += 1 }
                    if at < bytes.count {
                        at += 1
                        line += 1
                        lineStart = at
                    }
                }
            }
            guard let first = words.first, !isBroken else { return }
            if at - start > MasterFileEntry.lengthMax, words.reduce(0, { $0 + $1.text.utf8.count + 1 }) > lengthMax {
                problems.error(first, "record is longer than \(lengthMax) bytes; split it")
                return
            }
            entries.append(MasterFileEntry(words: words, ownerOmitted: blank))
        }

        /// True for the name of a type whose data may have parameters with quoted values: `alpn="h2"`.
        private static func hasParameters(_ word: Word) -> Bool {
            switch word.text.utf8.count {
            case 4: word.text.uppercased() == "SVCB"
            case 5: word.text.uppercased() == "HTTPS"
            case 6: word.text.uppercased() == "TYPE64" || word.text.uppercased() == "TYPE65"
            default: false
            }
        }

        /// Reads an unquoted or quoted word. Nil, with a report, if it is invalid.
        ///
        /// - Parameter isParameter: true if a quote after `=` opens a string within the word (RFC 9460 §2.1).
        private mutating func word(isParameter: Bool, _ problems: inout ProblemList) -> Word? {
            let start = at
            let place = (line: line, column: column)
            var isQuoted = bytes[at] == UInt8(ascii: "\"")
            if isQuoted { at += 1 }
            while at < bytes.count {
                let byte = bytes[at]
                if byte == newline || (!isQuoted && Self.endsWord(byte)) { break }
                if byte < 0x20 && byte != 0x09 || byte == 0x7f {
                    problems.error(
                        line, column, "control byte 0x\(String(byte, radix: 16)); remove it, or write it as \\DDD")
                    skipLine()
                    return nil
                }
                at += byte == UInt8(ascii: "\\") && at + 1 < bytes.count && bytes[at + 1] != newline ? 2 : 1
                if isQuoted, byte == UInt8(ascii: "\"") {
                    return Word(text: text(start..<at), line: place.line, column: place.column)
                }
                if isParameter, byte == UInt8(ascii: "="), at < bytes.count, bytes[at] == UInt8(ascii: "\"") {
                    isQuoted = true
                    at += 1
                }
            }
            if isQuoted {
                problems.error(place.line, place.column, "string without a closing '\"'; close it on the same line")
                return nil
            }
            return Word(text: text(start..<at), line: place.line, column: place.column)
        }

        private static func endsWord(_ byte: UInt8) -> Bool {
            switch byte {
            case 0x20, 0x09, 0x0d, UInt8(ascii: ";"), UInt8(ascii: "("), UInt8(ascii: ")"): true
            default: false
            }
        }

        private mutating func skipLine() {
            while at < bytes.count, bytes[at] != newline { at += 1 }
        }

        /// The text of a word. If it is not valid UTF-8, replaces each of its bytes beyond ASCII with `\DDD`, which has
        /// the same meaning and is printable, so that no byte is lost.
        private func text(_ range: Range<Int>) -> String {
            if let text = String(validating: bytes[range], as: UTF8.self) { return text }
            var text: [UInt8] = []
            var isEscaped = false
            for byte in bytes[range] {
                if byte < 0x80 {
                    text.append(byte)
                    isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                    continue
                }
                if !isEscaped { text.append(UInt8(ascii: "\\")) }
                isEscaped = false
                text += [48 + byte / 100, 48 + byte / 10 % 10, 48 + byte % 10]
            }
            return String(decoding: text, as: UTF8.self)
        }
    }
}
