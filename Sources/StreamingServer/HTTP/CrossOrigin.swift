import HTTPTypes
import Hummingbird

/// Allows pages of other origins to play streams (Fetch standard, CORS): everyone may read everything, including
/// errors, and no response depends on cookies.
enum CrossOrigin {
    /// Supported methods.
    static let methods = "GET, HEAD, OPTIONS"
    /// Longest list of header names that is echoed.
    private static let headersLengthMax = 1_024

    /// The response, readable by a page of any origin.
    static func allow(_ response: Response) -> Response {
        var response = response
        response.headers[.accessControlAllowOrigin] = "*"
        response.headers[.accessControlExposeHeaders] = "*"
        return response
    }

    /// The answer to a preflight request, which a browser sends if a page adds its own headers (a token, a trace id).
    static func preflight(_ request: Request) -> Response {
        let asked = request.headers[.accessControlRequestHeaders] ?? ""
        // `*` would not cover Authorization, so the requested names are echoed.
        let isList = asked.utf8.count <= headersLengthMax && asked.utf8.allSatisfy(isListByte)
        var response = Response(
            status: .noContent,
            headers: [
                .allow: methods, .accessControlAllowMethods: methods,
                .accessControlAllowHeaders: isList && !asked.isEmpty ? asked : "*", .accessControlMaxAge: "86400",
                .vary: "Access-Control-Request-Headers",
            ])
        response.headers[.contentLength] = nil
        return allow(response)
    }

    /// True for field names, commas and spaces.
    private static func isListByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-_!#$%&'*+.^`|~, ".utf8.contains(byte)
        }
    }
}
