import DNSAnswers
import Foundation

/// An operator's request to each name server of a zone: JSON, signed by `OverrideSigner`, valid for one minute
/// and one use.
public struct OverrideRequest: Codable, Sendable, Equatable {
    public enum Action: String, Codable, Sendable, CaseIterable {
        case drain
        case depool
        case pin
        /// Ends the override of the subject.
        case clear
        /// The candidate `host` comes first for the stream that is the subject.
        case pinEntrypoint = "pin-entrypoint"
        /// The candidate `host` is left out for the stream that is the subject.
        case barEntrypoint = "bar-entrypoint"
        /// Ends the overrides of the stream that is the subject: those of `host`, or all without one.
        case clearEntrypoint = "clear-entrypoint"
    }

    /// The ops endpoint that it is sent to, as ADDRESS:PORT, so that a request to one server is invalid on another.
    public var to: String
    public var action: Action
    /// A host of a set region, or a site; for entrypoints, a stream or the pattern of a `stream` line.
    public var subject: String
    /// A candidate entrypoint of the stream; nil for other subjects.
    public var host: String?
    /// Zone name without the final dot.
    public var zone: String
    /// Duration of the override.
    public var seconds: Int64
    public var reason: String
    /// Applies even if cells of the map would have no parent left, or a stream no candidate.
    public var isForced: Bool
    /// When the request was made, in seconds since 1970.
    public var issued: Int64
    /// 128 random bits in hexadecimal: no request is accepted twice.
    public var nonce: String

    public init(
        to: String, action: Action, subject: String, host: String? = nil, zone: String, seconds: Int64,
        reason: String, isForced: Bool, issued: Int64
    ) {
        self.to = to
        self.action = action
        self.subject = subject
        self.host = host
        self.zone = zone
        self.seconds = seconds
        self.reason = reason
        self.isForced = isForced
        self.issued = issued
        var random = SystemRandomNumberGenerator()
        nonce = (0..<2).map { _ in
            let hex = String(random.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - hex.count) + hex
        }.joined()
    }

    /// The request as it is sent and signed.
    public var body: [UInt8] { (try? JSONEncoder().encode(self)).map { Array($0) } ?? [] }

    init?(body: [UInt8]) {
        guard let request = try? JSONDecoder().decode(Self.self, from: Data(body)) else { return nil }
        self = request
    }
}

/// The name server's reply, which is signed too (`OverrideReplySigner`).
public struct OverrideReply: Codable, Sendable, Equatable {
    public var isAccepted: Bool
    /// For operators: what is in force now, or why nothing changed.
    public var text: String
    /// The nonce of the request.
    public var nonce: String

    public init(isAccepted: Bool, text: String, nonce: String) {
        self.isAccepted = isAccepted
        self.text = text
        self.nonce = nonce
    }

    public var body: [UInt8] { (try? JSONEncoder().encode(self)).map { Array($0) } ?? [] }

    /// Nil if the body is not a reply.
    public init?(body: [UInt8]) {
        guard let reply = try? JSONDecoder().decode(Self.self, from: Data(body)) else { return nil }
        self = reply
    }
}
