import Testing

@testable import HTTPFetching

@Suite("Heads of answers")
struct AnswerHeadReaderTests {
    private func read(_ lines: [String]) throws -> [AnswerHead] {
        var reader = AnswerHeadReader()
        return try lines.compactMap { line in
            try Array((line + "\r\n").utf8).withUnsafeBytes { try reader.take($0) }
        }
    }

    @Test("Fields are trimmed of white space; interim answers, trailers and malformed lines are dropped")
    func fields() throws {
        let heads = try read([
            "HTTP/1.1 100 Continue", "A: interim", "", "HTTP/1.1 103 Early Hints", "", "HTTP/1.0 200", "A:  b c\t",
            "no colon", " A: folded", "ä: b", ": c", "d e: f", "Transfer-Encoding: Chunked", "a: d", "", "Trailer: x",
            "",
        ])
        #expect(heads.count == 1)
        #expect(heads.first?.status == 200)
        #expect(heads.first?.headers.map(\.name) == ["A", "Transfer-Encoding", "a"])
        #expect(heads.first?.headers["a"] == ["b c", "d"])
    }

    @Test(
        "An answer that is not HTTP/1 is refused",
        arguments: ["", "HTTP/2 200", "HTTP/1.1", "HTTP/1.1 99", "HTTP/1.1 1000", "HTTP/1.1 -1", "ICY 200 OK", "x: y"])
    func malformed(line: String) {
        #expect(throws: HTTPFetchFailure.headMalformed) { try read([line]) }
    }

    @Test(
        "A transfer coding that the request did not allow is refused",
        arguments: ["gzip", "gzip, chunked", "chunked, br", "", "chunked\u{c}, gzip", "\u{301}, gzip", "chunked\0"])
    func coding(value: String) {
        #expect(throws: HTTPFetchFailure.transferCoding) {
            try read(["HTTP/1.1 200 OK", "transfer-encoding: \(value)"])
        }
    }

    @Test("Heads end at 64 kB, interim answers and trailers included")
    func tooLong() throws {
        let field = "a: " + String(repeating: "b", count: 1_019)
        _ = try read(["HTTP/1.1 200 OK"] + Array(repeating: field, count: 60) + [""])
        let status = ["HTTP/1.1 200 OK"]
        let endless = [
            status + Array(repeating: field, count: 64),
            status + [""] + Array(repeating: field, count: 64),
            Array(repeating: ["HTTP/1.1 100 Continue", ""], count: 3_000).flatMap(\.self),
        ]
        for lines in endless {
            #expect(throws: HTTPFetchFailure.headTooLong) { try read(lines) }
        }
    }

    @Test("Any input is read without a trap")
    func anyBytes() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            var reader = AnswerHeadReader()
            for number in 0..<6 {
                let start = number == 0 && Bool.random(using: &generator) ? "HTTP/1.1 200 " : ""
                let bytes = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                let line = Array(start.utf8) + bytes + Array(":".utf8) + bytes
                _ = try? line.withUnsafeBytes { try reader.take($0) }
            }
        }
    }
}
