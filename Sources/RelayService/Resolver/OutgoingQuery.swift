import LDNSKit

/// One query as sent, with its protection against forged answers: a random id, random upper and lower case in the name
/// (0x20), and a cookie (RFC 7873), in addition to the random port of its own socket.
struct OutgoingQuery: Sendable {
    /// Bytes of a DNS header (RFC 1035 §4.1.1).
    private static let headerBytes = 12
    private static let clientCookieBytes = 8
    private static let serverCookieBytes = 8...32

    let bytes: [UInt8]
    let type: UInt16
    /// The name of the query in lower case, although it is sent in mixed case.
    let name: String
    private let id: UInt16
    private let question: ArraySlice<UInt8>
    private let clientCookie: [UInt8]
    private let serverIsKnownToSendCookies: Bool

    init(
        name: String, type: UInt16, clientCookie: [UInt8], serverCookie: [UInt8]?,
        random: inout some RandomNumberGenerator
    ) throws(LDNSError) {
        id = UInt16.random(in: 0...UInt16.max, using: &random)
        var mixed = ""
        for character in name {
            mixed += Bool.random(using: &random) ? character.uppercased() : character.lowercased()
        }
        self.name = name.lowercased()
        self.type = type
        self.clientCookie = clientCookie
        serverIsKnownToSendCookies = serverCookie != nil
        bytes = try LDNSMessage.query(
            id: id, name: mixed, type: type,
            options: [EDNSOption(code: EDNSOption.cookie, data: clientCookie + (serverCookie ?? []))])
        question = bytes[Self.headerBytes..<Self.headerBytes + (try LDNSName.wire(mixed)).count + 4]
    }

    /// A message received on the query's socket.
    enum Reply: Sendable {
        /// The answer, and its server cookie.
        case answer(LDNSMessage, serverCookie: [UInt8]?)
        /// An answer to the query that cannot be read.
        case malformed
        /// Not an answer to this query: ignore it.
        case mismatched(ResolverCounter)
    }

    /// Classifies a datagram, or a message over TCP.
    func classify(_ reply: [UInt8]) -> Reply {
        guard reply.count >= Self.headerBytes else { return .mismatched(.mismatchedHeader) }
        guard UInt16(reply[0]) << 8 | UInt16(reply[1]) == id else { return .mismatched(.mismatchedID) }
        // QR must be set, and the opcode must be 0.
        guard reply[2] & 0xf8 == 0x80 else { return .mismatched(.mismatchedHeader) }
        // The first name of a message cannot be compressed, so equal questions are equal bytes.
        guard reply[4] == 0, reply[5] == 1, reply.dropFirst(Self.headerBytes).starts(with: question) else {
            return .mismatched(.mismatchedQuestion)
        }
        guard let message = try? LDNSMessage.parse(reply) else { return .malformed }
        let cookie = message.edns?.options.first { $0.code == EDNSOption.cookie }?.data
        guard let cookie else {
            return serverIsKnownToSendCookies ? .mismatched(.mismatchedCookie) : .answer(message, serverCookie: nil)
        }
        let server = Array(cookie.dropFirst(Self.clientCookieBytes))
        guard cookie.starts(with: clientCookie), server.isEmpty || Self.serverCookieBytes.contains(server.count) else {
            return .mismatched(.mismatchedCookie)
        }
        return .answer(message, serverCookie: server.isEmpty ? nil : server)
    }

    static func newClientCookie() -> [UInt8] {
        var random = SystemRandomNumberGenerator()
        return (0..<clientCookieBytes).map { _ in UInt8.random(in: 0...255, using: &random) }
    }
}
