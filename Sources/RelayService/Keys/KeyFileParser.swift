import ReflectorModel

/// Reads the lines of a key file and collects all problems.
struct KeyFileParser {
    private(set) var networkKeys: [KeyFile.NetworkKey] = []
    private(set) var operatorKeys: [KeyFile.NetworkKey] = []
    private(set) var streamKeys = StreamKeys()
    private(set) var problems: [KeyFile.Problem] = []
    private let path: String
    private var line = 0

    /// Which lines the file may have.
    enum Form {
        /// Of nodes and name servers.
        case nodes
        /// Of operators.
        case operators
    }

    private let form: Form

    init(path: String, form: Form = .nodes) {
        self.path = path
        self.form = form
    }

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
        guard problems.isEmpty else { return }
        if form == .operators, operatorKeys.isEmpty {
            line = 1
            complain(1, "no operator's key; make a file that has one with `reflector keys operator`")
        } else if form == .nodes, networkKeys.isEmpty {
            line = 1
            complain(1, "no network key; add `network 1 64-HEX-DIGITS`, or make a file with `reflector keys streams`")
        }
    }

    private mutating func readOperators(_ words: [Word], _ kind: Word) {
        guard kind.text == "operator-secret" else {
            return complain(kind.column, "unknown word; a line begins with `operator-secret`")
        }
        operatorKeys = read(words, after: operatorKeys, max: KeyFile.operatorKeysMax)
    }

    private mutating func readLine(_ content: Substring) {
        let words = Self.words(content)
        guard let kind = words.first else { return }
        if form == .operators { return readOperators(words, kind) }
        switch kind.text {
        case "network": networkKeys = read(words, after: networkKeys, max: KeyFile.networkKeysMax)
        case "operator-public": operatorKeys = read(words, after: operatorKeys, max: KeyFile.operatorKeysMax)
        case "operator-secret":
            complain(
                kind.column,
                "an operator's secret must not be on nodes and name servers: keep it in a file of its own, and write "
                    + "its `operator-public` line here, which `reflector keys operator FILE` prints")
        case "operator":
            complain(
                kind.column,
                "name servers verify overrides by a public key now: `reflector keys operator FILE` makes one, and "
                    + "prints the `operator-public` line to put here")
        case "stream": readStream(words)
        default:
            complain(
                kind.column, "unknown word; a line begins with `network`, `stream` or `operator-public`")
        }
    }

    /// Reads a line that consists of its first word, a phase and a key. Returns `keys` with the new key, or unchanged
    /// if the line has a problem.
    private mutating func read(
        _ words: [Word], after keys: [KeyFile.NetworkKey], max countMax: Int
    ) -> [KeyFile.NetworkKey] {
        let kind = words[0].text
        guard let expected = three(words, "\(kind) PHASE 64-HEX-DIGITS") else { return keys }
        let (phaseWord, keyWord) = expected
        let phase = UInt8(phaseWord.text)
        if phase == nil || String(phase ?? 0) != phaseWord.text {
            complain(phaseWord.column, "a phase is a number from 0 to 255")
        }
        let bytes = Self.hex(keyWord.text)
        if bytes == nil {
            complain(keyWord.column, "the key of a \(kind) line is \(2 * KeyFile.networkKeyBytes) hexadecimal digits")
        }
        guard let phase, let bytes else { return keys }
        if keys.contains(where: { $0.phase == phase }) {
            complain(phaseWord.column, "phase \(phase) has a key already; give the new key another phase")
        } else if keys.count == countMax {
            complain(words[0].column, "more than \(countMax) \(kind) keys; remove the oldest")
        } else {
            return keys + [KeyFile.NetworkKey(phase: phase, bytes: bytes)]
        }
        return keys
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

    private static func hex(_ text: Substring) -> [UInt8]? {
        let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 2 * KeyFile.networkKeyBytes, !digits.contains(nil) else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8((digits[$0] ?? 0) << 4 | (digits[$0 + 1] ?? 0)) }
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
