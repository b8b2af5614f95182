import Foundation
import NIOHTTP1
import ReflectorModel

/// An encoder's HTTP request: `PUT` or `POST` of `/STREAM`, in origin or absolute form, with the key in `?key=`, in
/// `Authorization: Bearer` or as the password of `Authorization: Basic`. Percent-encoded characters are decoded.
struct PushRequest {
    let stream: StreamName
    /// Nil if the request has none.
    let key: Substring?
    /// The encoder waits for "100 Continue" before it sends.
    let expectsContinue: Bool
    /// Path and query, as the encoder sent them.
    let target: String
    /// Another entrypoint has redirected the encoder to this one.
    let isRedirected: Bool

    /// Added to the query of a redirect. An encoder that comes with it is not redirected again, so entrypoints that
    /// disagree about the leader do not send an encoder round in circles.
    static let redirectMark = "redirected=yes"

    /// Why a request is refused, and the answer.
    struct Refusal: Error {
        var counter: IngestCounter
        var status: HTTPResponseStatus
        var reason: String
        var fields: [(String, String)] = []

        static func malformed(_ reason: String, _ status: HTTPResponseStatus = .badRequest) -> Self {
            Self(counter: .refusedMalformed, status: status, reason: reason)
        }
    }

    init(_ head: HTTPRequestHead) throws(Refusal) {
        guard head.method == .PUT || head.method == .POST else {
            throw Refusal(
                counter: .refusedMethod, status: .methodNotAllowed, reason: "push with PUT or POST",
                fields: [("Allow", "PUT, POST")])
        }
        // RFC 9112 §3.2.
        let hosts = head.headers["host"].count
        let isOld = (head.version.major, head.version.minor) < (1, 1)
        guard hosts == 1 || (hosts == 0 && isOld) else {
            throw .malformed(hosts == 0 ? "no Host field" : "more than one Host field")
        }
        guard let target = Self.originForm(of: head.uri[...]) else {
            throw .malformed("the request target must be a path or an http URL")
        }
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        guard let path = parts.first.flatMap(percentDecoded), let stream = StreamName(path.dropFirst()) else {
            throw Refusal(
                counter: .refusedUnknownStream, status: .notFound, reason: "the path is not a stream name")
        }
        // RFC 9112 §6.3: a request without either field has no body, whatever bytes follow.
        guard head.headers.contains(name: "transfer-encoding") || head.headers.contains(name: "content-length") else {
            throw .malformed("send the stream chunked, or say its length", .lengthRequired)
        }
        // RFC 9110 §10.1.1: HTTP/1.0 has no expectations.
        let expectations = isOld ? [] : head.headers[canonicalForm: "expect"]
        guard expectations.allSatisfy({ $0.lowercased() == "100-continue" }) else {
            throw .malformed("the only supported expectation is 100-continue", .expectationFailed)
        }
        self.stream = stream
        self.target = String(target)
        isRedirected = parts.count == 2 && parts[1].split(separator: "&").contains { $0 == Self.redirectMark }
        key = Self.key(in: head.headers) ?? Self.key(inQuery: parts.count == 2 ? parts[1] : "")
        expectsContinue = !expectations.isEmpty
    }

    /// Path and query of a target in origin form (`/live/news?key=…`) or absolute form (`http://host/live/news?key=…`),
    /// which a server must accept (RFC 9112 §3.2.2).
    private static func originForm(of target: Substring) -> Substring? {
        if target.first == "/" { return target }
        for scheme in ["http://", "https://"] where target.prefix(scheme.count).lowercased() == scheme {
            let rest = target.dropFirst(scheme.count)
            return rest.firstIndex(of: "/").map { rest[$0...] }
        }
        return nil
    }

    private static func key(in headers: HTTPHeaders) -> Substring? {
        guard let field = headers.first(name: "authorization") else { return nil }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        switch parts[0].lowercased() {
        case "bearer": return parts[1]
        case "basic":
            guard let decoded = Data(base64Encoded: String(parts[1])),
                let text = String(data: decoded, encoding: .utf8),
                let colon = text.firstIndex(of: ":")
            else { return nil }
            return text[text.index(after: colon)...]
        default: return nil
        }
    }

    /// The value of `key` in a query.
    private static func key(inQuery query: Substring) -> Substring? {
        guard let pair = query.split(separator: "&").first(where: { $0.hasPrefix("key=") }) else { return nil }
        return percentDecoded(pair.dropFirst("key=".count))?[...]
    }
}

/// Decodes the percent-encoding of a part of a URL (RFC 3986 §2.1). Nil if a `%` is not followed by two hexadecimal
/// digits, or if the result is not UTF-8.
func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        guard let high = rest.popFirst().flatMap(hexadecimalDigit), let low = rest.popFirst().flatMap(hexadecimalDigit)
        else { return nil }
        bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
}

private func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}
