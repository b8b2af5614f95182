import Foundation

/// Where a stream is pulled from: a URL without its user and password, which go into the request's `Authorization`
/// field (RFC 7617) and never into a log.
struct PullAddress: Sendable, Hashable {
    /// Without user, password and fragment.
    let url: String
    /// Value of the `Authorization` field; nil for none.
    let authorization: String?
    /// Scheme, host and port: the origin for which the credentials are valid.
    private let origin: String

    /// Why a redirect is not followed.
    enum Problem: Error, CustomStringConvertible {
        case noURL
        case scheme(String)
        case toPlain

        var description: String {
            switch self {
            case .noURL: "the redirect's Location is no URL"
            case .scheme(let scheme): "a redirect to '\(scheme):' is not followed, only to http and https"
            case .toPlain: "a redirect from https to http is not followed: the stream would travel in the clear"
            }
        }
    }

    /// Nil unless `text` is an http or https URL with a host.
    init?(_ text: String) {
        guard let components = URLComponents(string: text) else { return nil }
        self.init(components)
    }

    private init?(_ given: URLComponents) {
        var components = given
        guard let scheme = components.scheme?.lowercased(), scheme == "http" || scheme == "https",
            let host = components.host?.lowercased(), !host.isEmpty,
            components.port.map({ (1...65_535).contains($0) }) ?? true
        else { return nil }
        let (user, password) = (components.percentEncodedUser ?? "", components.percentEncodedPassword ?? "")
        if user.isEmpty && password.isEmpty {
            authorization = nil
        } else {
            guard let name = percentDecoded(user[...]), let secret = percentDecoded(password[...]) else { return nil }
            authorization = "Basic " + Data("\(name):\(secret)".utf8).base64EncodedString()
        }
        components.percentEncodedUser = nil
        components.percentEncodedPassword = nil
        components.fragment = nil
        guard let url = components.string else { return nil }
        self.url = url
        origin = "\(scheme)://\(host):\(components.port ?? (scheme == "https" ? 443 : 80))"
    }

    private init(url: String, authorization: String?, origin: String) {
        (self.url, self.authorization, self.origin) = (url, authorization, origin)
    }

    /// For logs: without the query, which may hold a token.
    var redacted: String {
        guard let question = url.firstIndex(of: "?") else { return url }
        return url[..<question] + "?…"
    }

    /// The target of a redirect, relative to this address. The credentials are kept only if scheme, host and port stay
    /// the same (RFC 9110 §15.4), unless the new URL has its own.
    func following(_ location: String) throws(Problem) -> PullAddress {
        guard let base = URL(string: url), let target = URL(string: location, relativeTo: base)?.absoluteURL,
            let components = URLComponents(url: target, resolvingAgainstBaseURL: true)
        else { throw .noURL }
        let scheme = components.scheme?.lowercased() ?? ""
        guard scheme == "http" || scheme == "https" else { throw .scheme(scheme) }
        if scheme == "http", origin.hasPrefix("https:") { throw .toPlain }
        guard let next = PullAddress(components) else { throw .noURL }
        guard next.authorization == nil, next.origin == origin else { return next }
        return PullAddress(url: next.url, authorization: authorization, origin: origin)
    }
}
