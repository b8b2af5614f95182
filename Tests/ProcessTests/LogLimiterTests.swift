import Testing

@testable import reflector

@Suite("Limits of the log")
struct LogLimiterTests {
    private static let second: Int64 = 1_000_000_000

    private func line(_ message: String, at number: UInt = 1, grave: Bool = true) -> LogLimiter.Line {
        LogLimiter.Line(file: "A.swift", line: number, isGrave: grave, message: message)
    }

    @Test("In each window, a few lines of a kind are written, then one that counts the rest; other kinds continue")
    func counts() {
        var limiter = LogLimiter()
        var written = 0
        for number in 0..<136 where limiter.admits(line("live/j\(number): no answer"), at: Int64(number)) {
            written += 1
        }
        #expect(written == LogLimiter.warningsMax)
        let isOtherKindWritten = limiter.admits(line("another thing"), at: 200)
        let isOtherPlaceWritten = limiter.admits(line("live/x: no answer", at: 2), at: 200)
        #expect(isOtherKindWritten && isOtherPlaceWritten)
        let early = limiter.expire(at: 9 * Self.second)
        #expect(early.isEmpty)
        let omissions = limiter.expire(at: 10 * Self.second)
        #expect(omissions.map(\.count) == [136 - LogLimiter.warningsMax])
        #expect(omissions.first?.message == "live/j\(LogLimiter.warningsMax): no answer")
        #expect(limiter.kindCount == 2)
        let isWrittenAgain = limiter.admits(line("live/j: no answer"), at: 10 * Self.second)
        let late = limiter.expire(at: 30 * Self.second)
        #expect(isWrittenAgain && late.isEmpty && limiter.kindCount == 0)
    }

    @Test("A client that controls words of a message gets no additional lines, and the table of kinds is bounded")
    func chosenWords() {
        var limiter = LogLimiter()
        let letters = Array("abcdefghijklmnopqrstuvwxyz")
        var written = 0
        for number in 0..<10_000 {
            let word = String([letters[number % 26], letters[number / 26 % 26], letters[number / 676 % 26]])
            if limiter.admits(line("viewer of \(word) refused"), at: Int64(number)) { written += 1 }
        }
        #expect(written <= (LogLimiter.kindsPerLocationMax + 1) * LogLimiter.warningsMax)
        for place in 0..<UInt(5_000) { _ = limiter.admits(line("x", at: place), at: 20_000) }
        #expect(limiter.kindCount <= LogLimiter.kindsMax + 1)
        let omitted = limiter.expire(at: 11 * Self.second).map(\.count).reduce(0, +)
        #expect(omitted > 9_000)
        #expect(limiter.kindCount == 0)
    }

    @Test("Stream keys, passwords in URLs and bearer tokens do not appear in the log")
    func secrets() {
        for (text, safe) in [
            ("http://a:8000/live/news?key=abc123 refused", "http://a:8000/live/news?key=… refused"),
            ("GET /x?a=1&key=abc&b=2", "GET /x?a=1&key=…&b=2"),
            ("http://user:pa@ss@host/x", "http://…@host/x"),
            ("pull of 'http://u:p@h:1/a.ts?key=k': lost", "pull of 'http://…@h:1/a.ts?key=…': lost"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
            ("mail to a@b, x=1, http://h/p@q", "mail to a@b, x=1, http://h/p@q"),
            ("plain", "plain"),
        ] {
            #expect(SecretRedaction.text(text) == safe)
        }
    }
}
