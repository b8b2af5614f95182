import ReflectorModel

/// Reads `revocation-list` lines, and reports all their problems.
struct RevocationTextParser {
    private var bytes: [UInt8] = []
    private var problems: [RevocationText.Problem] = []
    /// Where the first `revocation-list` line has its digits.
    private var beginning: (line: Int, column: Int)?
    /// False if digits are missing, since the bytes are then no list whatever they are.
    private var isComplete = true

    mutating func read(_ text: some Collection<UInt8>) {
        guard text.count <= RevocationText.bytesMax else {
            isComplete = false
            return complain(
                1, 1,
                "text of \(text.count) bytes is over the limit of \(RevocationText.bytesMax); shorten its comments")
        }
        let lines = Array(text).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() where index < lines.count - 1 || !line.isEmpty {
            read(line: line, index + 1)
            if index == lines.count - 1 {
                isComplete = false
                complain(index + 1, line.count + 1, "the last line has no newline: was the file cut off? copy it again")
            }
        }
    }

    func finish(zone: String?) throws(RevocationText.Problems) -> RevocationText.Parsed {
        guard problems.isEmpty, isComplete else { throw .init(problems: problems) }
        guard let (line, column) = beginning else {
            throw Self.problem(
                1, 1, "no revocation list; put the file that `reflector keys revoke` wrote here, or remove this one")
        }
        let list: RevocationList
        do throws(IdentityFormatError) {
            list = try RevocationList(decoding: bytes)
        } catch {
            throw Self.problem(line, column, "not a revocation list: \(Self.reason(error))")
        }
        if let zone, list.content.zone != zone {
            throw Self.problem(
                line, column, "the list is of the zone \(list.content.zone), not of \(zone); put that zone's list here")
        }
        return RevocationText.Parsed(list: list, line: line, column: column)
    }

    private mutating func read(line: ArraySlice<UInt8>, _ number: Int) {
        let words = Self.words(line)
        guard let first = words.first else { return }
        let column = { (index: Int) in index - line.startIndex + 1 }
        guard line[first].elementsEqual(RevocationText.keyword.utf8) else {
            return complain(number, column(first.lowerBound), "unknown word; lines are `\(RevocationText.keyword) HEX`")
        }
        guard words.count == 2 else {
            let place = words.count < 2 ? line.endIndex : words[2].lowerBound
            return complain(number, column(place), "a line has two words: write `\(RevocationText.keyword) HEX`")
        }
        let digits = line[words[1]]
        if beginning == nil { beginning = (number, column(digits.startIndex)) }
        if let wrong = digits.firstIndex(where: { Self.value($0) == nil }) {
            return complain(number, column(wrong), "not a digit of 0-9 or a-f; copy the file again")
        }
        guard digits.count.isMultiple(of: 2) else {
            return complain(
                number, column(digits.endIndex), "an odd number of digits, so one is missing; copy the file again")
        }
        guard bytes.count + digits.count / 2 <= CertificateLimits.revocationListLengthMax else {
            if isComplete {
                complain(
                    number, column(digits.startIndex),
                    "a list has at most \(CertificateLimits.revocationListLengthMax) bytes; "
                        + "is there a second list? keep the newest one")
            }
            isComplete = false
            return
        }
        var index = digits.startIndex
        while index < digits.endIndex {
            bytes.append((Self.value(digits[index]) ?? 0) << 4 | (Self.value(digits[index + 1]) ?? 0))
            index += 2
        }
    }

    private mutating func complain(_ line: Int, _ column: Int, _ text: String) {
        guard problems.count < RevocationText.problemsMax else { return }
        problems.append(RevocationText.Problem(line: line, column: column, text: text))
    }

    private static func problem(_ line: Int, _ column: Int, _ text: String) -> RevocationText.Problems {
        .init(problems: [.init(line: line, column: column, text: text)])
    }

    private static func reason(_ error: IdentityFormatError) -> String {
        switch error {
        case .tooShort: "bytes are missing at its end; copy the file again"
        case .trailingBytes: "bytes follow its end; is there a second list? keep the newest one"
        case .badVersion: "its version is unknown; use the same release of reflector here and where it was signed"
        case .tooMany:
            "more than \(CertificateLimits.revocationsMax) serials; leave out certificates that have expired"
        case .serialOrder, .badSerial: "its serials are not in ascending order; sign it with `reflector keys revoke`"
        default: "damaged (\(error)); copy the file again"
        }
    }

    /// Up to a comment.
    private static func words(_ line: ArraySlice<UInt8>) -> [Range<Int>] {
        let end = line.firstIndex { $0 == UInt8(ascii: "#") || $0 == UInt8(ascii: ";") } ?? line.endIndex
        return line[..<end].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
            .map(\.indices)
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
