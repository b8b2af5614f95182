import NIOHTTP1

/// Checks a request head against the rules of HTTP/1.1 beyond its syntax, and normalises it for responders.
enum RequestRules {
    /// Field that marks a request to be answered with 400. Such a field from a client is removed.
    static let mark = "Reflector-Malformed"

    /// True for versions before HTTP/1.1: Host is optional, and there are no chunks and no further requests.
    static func isOld(_ version: HTTPVersion) -> Bool { (version.major, version.minor) < (1, 1) }

    /// Why a request gets 400 (RFC 9112 §3.2); nil if it is valid.
    static func problem(of head: HTTPRequestHead) -> String? {
        let hosts = head.headers["host"]
        guard hosts.count <= 1 else { return "more than one Host" }
        guard let host = hosts.first else { return isOld(head.version) ? nil : "HTTP/1.1 without Host" }
        return host.utf8.allSatisfy(isHostByte) ? nil : "Host is not a host and port"
    }

    /// The path and query of a target in absolute form, which every server must accept (RFC 9112 §3.2.2); other targets
    /// are unchanged.
    static func originForm(_ target: String) -> String {
        guard let first = target.utf8.first, first != UInt8(ascii: "/"), first != UInt8(ascii: "*"),
            let scheme = target.firstRange(of: "://")
        else { return target }
        let rest = target[scheme.upperBound...]
        guard let path = rest.firstIndex(where: { $0 == "/" || $0 == "?" }) else { return "/" }
        return rest[path] == "?" ? "/" + rest[path...] : String(rest[path...])
    }

    /// RFC 3986 §3.2.2 and §3.2.3: `uri-host [":" port]`.
    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~!$&'()*+,;=%:[]".utf8.contains(byte)
        }
    }
}
