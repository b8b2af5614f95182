import NodeIdentity
import ReflectorModel
import Testing

@Suite("The text of a revocation list, and its records in the DNS")
struct RevocationTextTests {
    private let fixture: Fixture

    init() throws { fixture = try Fixture() }

    private func parse(_ text: String, zone: String? = Fixture.zone) throws(RevocationText.Problems) -> RevocationList {
        try RevocationText.parse(Array(text.utf8), zone: zone).list
    }

    /// The problems of a text as `line:column: text`.
    private func problems(_ text: String, zone: String? = Fixture.zone) -> [String] {
        do {
            _ = try parse(text, zone: zone)
            return []
        } catch {
            return error.problems.map { "\($0.line):\($0.column): \($0.text)" }
        }
    }

    private static func lines(_ bytes: [UInt8], perLine: Int = 32) -> String {
        stride(from: 0, to: bytes.count, by: perLine).map { start in
            let digits = bytes[start..<min(start + perLine, bytes.count)].map {
                ($0 < 16 ? "0" : "") + String($0, radix: 16)
            }
            return "\(RevocationText.keyword) \(digits.joined())\n"
        }.joined()
    }

    @Test("What is written is read back, whatever the length, and with comments, blank lines and other line breaks")
    func roundTrip() throws {
        for count in [0, 1, 2, 3, 4, 100, 4_096] {
            let list = try fixture.revocations((0..<count).map { UInt64($0) * 7 + 1 })
            let text = RevocationText.write(list)
            #expect(text.utf8.count < RevocationText.bytesMax / 2)
            #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count <= 120 })
            #expect(try parse(text) == list)
            #expect(try parse(text, zone: nil) == list)
            #expect(try parse("# a comment\n\n" + text.replacing("\n", with: "  ; another\r\n")) == list)
            #expect(try parse(Self.lines(list.encoded, perLine: 7)) == list)
            #expect(try parse(Self.lines(list.encoded, perLine: 40_000)) == list)
        }
        let parsed = try RevocationText.parse(
            Array(("#\n  " + RevocationText.write(try fixture.revocations([1]))).utf8), zone: nil)
        #expect(parsed.line == 2 && parsed.column == 19)
    }

    @Test("Every text that was cut off is refused")
    func cutOff() throws {
        let text = Array(RevocationText.write(try fixture.revocations([1, 5])).utf8)
        for count in 0..<text.count {
            #expect(throws: RevocationText.Problems.self) { try RevocationText.parse(text[..<count], zone: nil) }
        }
        // Cut off at a line's end, the text alone looks whole: the bytes tell.
        let lines = RevocationText.write(try fixture.revocations([1, 5])).split(separator: "\n")
        let cut = lines.dropLast().map { $0 + "\n" }.joined()
        #expect(problems(cut) == ["1:17: not a revocation list: bytes are missing at its end; copy the file again"])
    }

    @Test("All problems are reported at once, each with its line and column")
    func positions() throws {
        let text =
            "revoked 01\nrevocation-list 012\n  revocation-list 0A\nrevocation-list\nrevocation-list 01 02\n#\nrevocation-list 0"
        let found = problems(text)
        let expected = [
            "1:1: unknown word", "2:20: an odd number", "3:20: not a digit", "4:16: a line has two words",
            "5:20: a line has two words", "7:18: an odd number", "7:18: the last line has no newline",
        ]
        #expect(found.count == expected.count, "\(found)")
        for (problem, start) in zip(found, expected) { #expect(problem.hasPrefix(start), "\(problem)") }
        #expect(problems("").first?.hasPrefix("1:1: no revocation list; put the file that") == true)
        #expect(problems(String(repeating: "x\n", count: 1_000)).count == RevocationText.problemsMax)
    }

    @Test("A list of another zone, too many serials, unsorted serials, trailing bytes, a second list and a long text")
    func hostile() throws {
        let list = try fixture.revocations([1, 2])
        #expect(
            problems(RevocationText.write(list), zone: "other.net")[0].contains("of the zone reflector.net, not of"))
        let most = try fixture.revocations(Array(1...4_096))
        #expect(most.encoded.count + 129 - Fixture.zone.utf8.count - 1 == CertificateLimits.revocationListLengthMax)
        var bytes = most.encoded
        let count = 1 + 1 + Fixture.zone.utf8.count + 8 + 5 + 8
        bytes[count + 3] = 1
        bytes.insert(contentsOf: [0, 0, 0, 0, 0, 0, 0x10, 1], at: bytes.count - 64)
        #expect(problems(Self.lines(bytes))[0].contains("more than 4096 serials; leave out"))
        var unsorted = list.encoded
        unsorted[unsorted.count - 64 - 9] = 3
        #expect(problems(Self.lines(unsorted))[0].contains("not in ascending order"))
        #expect(problems(Self.lines(list.encoded + [0]))[0].contains("bytes follow its end"))
        #expect(problems(Self.lines(list.encoded) + Self.lines(list.encoded))[0].contains("is there a second list"))
        #expect(problems(Self.lines(most.encoded) + Self.lines(most.encoded)).count == 1)
        var version = list.encoded
        version[0] = 2
        #expect(problems(Self.lines(version))[0].contains("its version is unknown"))
        #expect(problems(String(repeating: "#", count: RevocationText.bytesMax) + "\n")[0].contains("over the limit"))
    }

    @Test("A list in a record is divided into as few strings as possible, and read back from any division")
    func records() throws {
        for count in [0, 1, 50, 4_096] {
            let list = try fixture.revocations((0..<count).map { UInt64($0) + 1 })
            let data = RevocationRecords.data(of: list)
            #expect(data.count == list.encoded.count + (list.encoded.count + 254) / 255)
            #expect(data.count < 33_300)
            #expect(try RevocationRecords.list(in: data) == list)
            #expect(try RevocationRecords.list(in: list.encoded.flatMap { [1, $0] } + [0]) == list)
        }
        let data = RevocationRecords.data(of: try fixture.revocations([1]))
        for count in 0..<data.count {
            #expect(throws: IdentityFormatError.self) { try RevocationRecords.list(in: Array(data[..<count])) }
        }
        #expect(throws: IdentityFormatError.trailingBytes) { try RevocationRecords.list(in: data + [1, 0]) }
    }

    @Test("The announcement has the list's number; anything but one plain number above 0 announces nothing")
    func announcement() throws {
        let list = try fixture.revocations([4, 9], sequence: 12)
        let strings = RevocationRecords.announcement(of: list)
        #expect(strings[0] == "sequence=12" && strings[1] == "serials=2" && strings[3] == "bytes=\(list.encoded.count)")
        #expect(RevocationRecords.sequence(announcedIn: strings) == 12)
        #expect(RevocationRecords.sequence(announcedIn: ["sequence=\(UInt64.max)"]) == UInt64.max)
        let wrong = ["", "0", "01", "+1", "-1", "1 ", "１", "99999999999999999999", "0x1", "1.0"]
        for text in wrong { #expect(RevocationRecords.sequence(announcedIn: ["sequence=\(text)"]) == nil, "\(text)") }
        #expect(RevocationRecords.sequence(announcedIn: ["sequence=1", "sequence=2"]) == nil)
        #expect(RevocationRecords.sequence(announcedIn: []) == nil)
    }
}
