import ReflectorModel

/// Reads the lines of a key file and collects all problems.
struct KeyFileParser {
    private(set) var streamKeys = StreamKeys()
    private(set) var problems: [KeyFile.Problem] = []
    private let path: String
    private var line = 0

    init(path: String) { self.path = path }

    private struct Word {
        var text: Substring
        var column: Int
    }

    mutating func read(_ text: String) {
        // In Swift, CR LF is one character, different from the character LF.
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        for content in lines.dropLast() {
            line += 1
            readLine(content)
        }
        if let last = lines.last, !last.isEmpty {
            line += 1
            readLine(last)
            complain(last.count + 1, "the last line has no newline: was the file cut off? add one")
        }
    }

    private mutating func readLine(_ content: Substring) {
        let words = Self.words(content)
        guard let kind = words.first else { return }
        switch kind.text {
        case "stream": readStream(words)
        case "network":
            complain(
                kind.column,
                "there is no network key any more: each node has a key of its own (`reflector keys request NAME "
                    + "--identity DIR`); remove this line")
        default: complain(kind.column, "unknown word; a line begins with `stream`")
        }
    }

    private mutating func readStream(_ words: [Word]) {
        guard let expected = three(words, "stream NAME KEY") else { return }
        let (nameWord, keyWord) = expected
        let pattern = StreamKeys.Pattern(nameWord.text)
        if pattern == nil {
            complain(nameWord.column, "a stream name is segments of a-z, 0-9 and - joined by /, the last may be *")
        }
        let length = KeyFile.streamKeyLength
        let isKey = length.contains(keyWord.text.utf8.count) && keyWord.text.utf8.allSatisfy(Self.isKeyByte)
        if !isKey {
            complain(
                keyWord.column,
                "a stream key is \(length.lowerBound) to \(length.upperBound) letters, digits, - . _ or ~")
        }
        guard let pattern, isKey else { return }
        do throws(StreamKeys.Problem) {
            try streamKeys.add(String(keyWord.text), for: pattern)
        } catch {
            switch error {
            case .duplicate: complain(keyWord.column, "\(nameWord.text) has this key already; remove one line")
            case .tooMany:
                complain(
                    nameWord.column, "\(nameWord.text) has \(StreamKeys.keysMax) keys already; remove the oldest")
            }
        }
    }

    /// The second and third of exactly three words. Otherwise notes a problem and returns nil.
    private mutating func three(_ words: [Word], _ form: String) -> (Word, Word)? {
        guard words.count >= 3 else {
            complain(words.last.map { $0.column + $0.text.count } ?? 1, "a word is missing: write `\(form)`")
            return nil
        }
        if words.count > 3 {
            complain(words[3].column, "one word too many: write `\(form)`")
            return nil
        }
        return (words[1], words[2])
    }

    private mutating func complain(_ column: Int, _ text: String) {
        problems.append(KeyFile.Problem(path: path, line: line, column: column, text: text))
    }

    private static func words(_ content: Substring) -> [Word] {
        var words: [Word] = []
        var column = 0
        var inWord = false
        for (index, character) in zip(content.indices, content) {
            column += 1
            if character == "#" || character == ";" { break }
            if character == " " || character == "\t" || character == "\r" {
                inWord = false
            } else if inWord {
                let start = words[words.count - 1].text.startIndex
                words[words.count - 1].text = content[start...index]
            } else {
                inWord = true
                words.append(Word(text: content[index...index], column: column))
            }
        }
        return words
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
