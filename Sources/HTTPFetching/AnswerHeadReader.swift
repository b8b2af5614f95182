import NIOHTTP1

/// The head of an answer.
struct AnswerHead: Sendable, Equatable {
    var status: UInt
    var headers = HTTPHeaders()
}

/// Reads the lines of an answer's head (RFC 9112 §4, §5). Interim answers (1xx) before the head and trailers after the
/// body are dropped, but their bytes count too.
struct AnswerHeadReader {
    /// Maximum number of bytes of all lines together, including those of trailers and interim answers.
    static let bytesMax = 64 << 10

    private var head: AnswerHead?
    /// True after the last line of the head.
    private(set) var isComplete = false
    private var bytes = 0

    /// Processes one line with its line end. Returns the head once, at its last line.
    mutating func take(_ line: UnsafeRawBufferPointer) throws(HTTPFetchFailure) -> AnswerHead? {
        bytes += line.count
        guard bytes <= Self.bytesMax else { throw .headTooLong }
        if isComplete { return nil }
        // Compares bytes, as libcurl does: a Swift character may consist of several bytes, and this reader must see the
        // same lines as libcurl.
        guard let first = line.first, !first.isLineEnd else { return try endOfHead() }
        let content = Slice(base: line, bounds: line.indices).trimmed(of: \.isLineEnd)
        guard head != nil else {
            head = AnswerHead(status: try status(of: content))
            return nil
        }
        try takeField(content)
        return nil
    }

    private mutating func endOfHead() throws(HTTPFetchFailure) -> AnswerHead? {
        guard let head else { throw .headMalformed }
        // Interim answers come before the final one (RFC 9110 §15.2).
        guard head.status >= 200 else {
            self.head = nil
            return nil
        }
        isComplete = true
        return head
    }

    private func status(of line: Slice<UnsafeRawBufferPointer>) throws(HTTPFetchFailure) -> UInt {
        let words = line.split(maxSplits: 2) { $0 == UInt8(ascii: " ") }
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8),
            let code = UInt(String(decoding: words[1], as: UTF8.self)), (100...999).contains(code)
        else { throw .headMalformed }
        return code
    }

    /// Adds a field to the head. Drops lines that are not fields: lines without a colon, without a name or with bytes
    /// that a name may not have (RFC 9110 §5.6.2), and lines that continue the previous field (obsolete, RFC 9112
    /// §5.2).
    private mutating func takeField(_ line: Slice<UnsafeRawBufferPointer>) throws(HTTPFetchFailure) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(\.isTokenByte)
        else { return }
        let name = String(decoding: line[..<colon], as: UTF8.self)
        let blank: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let value = String(decoding: line[(colon + 1)...].trimmed(of: blank), as: UTF8.self)
        // libcurl would decompress a body although the request does not allow compression: a few bytes can become
        // gigabytes.
        if name.lowercased() == "transfer-encoding", !["chunked", "identity"].contains(value.lowercased()) {
            throw .transferCoding
        }
        head?.headers.add(name: name, value: value)
    }
}

extension UInt8 {
    fileprivate var isLineEnd: Bool { self == UInt8(ascii: "\n") || self == UInt8(ascii: "\r") }

    /// RFC 9110 §5.6.2: visible ASCII without delimiters.
    fileprivate var isTokenByte: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// The slice without such bytes at both ends.
    fileprivate func trimmed(of isDropped: (UInt8) -> Bool) -> Self {
        guard let first = firstIndex(where: { !isDropped($0) }), let last = lastIndex(where: { !isDropped($0) })
        else { return self[startIndex..<startIndex] }
        return self[first...last]
    }
}
