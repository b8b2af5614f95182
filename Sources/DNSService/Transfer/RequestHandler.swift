import DNSAnswers
import Logging
import ReflectorModel
import TransactionSigning

/// Handles requests that a zone image alone cannot answer: signed requests and zone transfers. Each loop has one; all
/// handlers share the policy and the log.
final class RequestHandler {
    /// The outcome of a request over TCP.
    enum Outcome {
        case reply([UInt8])
        /// The transfer is allowed, and must now be planned and sent.
        case transfer(OutgoingTransfer.Client, zone: String)
        case drop
    }

    private static let formatError: UInt16 = 1
    private static let serverFailure: UInt16 = 2
    private static let refused: UInt16 = 5
    private static let notAuthoritative: UInt16 = 9

    private let policy: TransferPolicy
    let log: TransferLog
    private let logger: Logger
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 16)
    /// Zones that are served, by name in wire form.
    private var zones: [[UInt8]: String] = [:]

    init(policy: TransferPolicy, log: TransferLog, logger: Logger, engine: AnswerEngine) {
        self.policy = policy
        self.log = log
        self.logger = logger
        replace(engine)
    }

    deinit { buffer.deallocate() }

    func replace(_ engine: AnswerEngine) {
        zones = [:]
        for zone in engine.zones { zones[WireName.joined(zone.zone, below: [0])] = zone.zone }
    }

    /// Answers a request received in a datagram. Returns the reply's length in `reply`; 0 for none.
    func answer(
        datagram: UnsafeRawBufferPointer, from source: Endpoint, isPrivileged: Bool, _ responder: inout Responder,
        into reply: UnsafeMutableRawBufferPointer
    ) -> Int {
        let outcome = handle(
            Array(datagram), over: .udp, from: source.address, isPrivileged: isPrivileged, &responder)
        guard case .reply(let bytes) = outcome, bytes.count <= reply.count else { return 0 }
        reply.copyBytes(from: bytes)
        return bytes.count
    }

    /// Verifies a request. Returns the reply, or for an allowed transfer over TCP the transfer's client and zone.
    func handle(
        _ message: [UInt8], over transport: Responder.Transport, from address: IPAddress, isPrivileged: Bool,
        _ responder: inout Responder
    ) -> Outcome {
        let now = responder.now
        switch TSIGRequest.verify(message, keys: policy.keys, now: now) {
        case .malformed: return .reply(Self.error(message, Self.formatError))
        case .rejected(let rejection):
            note(rejection, address)
            var reply = Self.error(message, Self.notAuthoritative)
            rejection.finish(&reply, now: now)
            return .reply(reply)
        case .unsigned:
            return respond(message, nil, transport, address, isPrivileged, &responder)
        case .signed(let session, let unsigned):
            log.add(.signedRequests)
            return respond(unsigned, session, transport, address, isPrivileged, &responder)
        }
    }

    /// The reply to a transfer request that cannot be served, with the reason.
    func failure(_ client: OutgoingTransfer.Client, _ plan: TransferSources.Plan, now: Int64) -> [UInt8]? {
        switch plan {
        case .send, .fallback: return nil
        case .unknown: return finish(Self.reply(client, Self.notAuthoritative), client.session, now)
        case .tooLarge(let why):
            log.add(.tooLarge)
            return finish(Self.reply(client, Self.refused, why: why), client.session, now)
        }
    }

    /// The reply to a transfer request beyond the limit of concurrent transfers.
    func busy(_ client: OutgoingTransfer.Client, now: Int64) -> [UInt8]? {
        log.add(.busy)
        return finish(
            Self.reply(client, Self.serverFailure, why: "too many transfers at once; try again"), client.session, now)
    }

    // MARK: Verified and unsigned requests

    private func respond(
        _ message: [UInt8], _ session: TSIGSession?, _ transport: Responder.Transport, _ address: IPAddress,
        _ isPrivileged: Bool, _ responder: inout Responder
    ) -> Outcome {
        let request = TransferRequest(message)
        if let request, request.isTransfer {
            let client = OutgoingTransfer.Client(id: message.word(0), request: request, session: session)
            return transfer(client, transport, address, &responder)
        }
        // An unsigned message is passed to this method only as a transfer request, but this one cannot be parsed as
        // such.
        guard let session else { return .reply(Self.error(message, Self.formatError)) }
        return signed(message, request, session, transport, isPrivileged, &responder)
    }

    private func transfer(
        _ client: OutgoingTransfer.Client, _ transport: Responder.Transport, _ address: IPAddress,
        _ responder: inout Responder
    ) -> Outcome {
        let now = responder.now
        let key = client.session?.key
        guard policy.allows(address, key: key) else {
            log.add(.refused)
            logger.notice(
                "transfer refused", metadata: ["from": "\(address)", "key": "\(key?.text ?? "none")"])
            return reply(client, Self.refused, now, why: "transfers are not allowed to this address and key")
        }
        guard let zone = zones[client.request.name] else { return reply(client, Self.notAuthoritative, now) }
        guard transport == .udp else { return .transfer(client, zone: zone) }
        // RFC 5936 §4.2: no AXFR over UDP. RFC 1995 §2: a reply with only the SOA makes an IXFR client retry over TCP.
        guard client.request.type == TransferRequest.typeIXFR else { return reply(client, Self.formatError, now) }
        log.add(.current)
        return startOfAuthority(client, &responder)
    }

    /// The SOA reply to IXFR: the same as to an SOA query, with the question of the request.
    private func startOfAuthority(_ client: OutgoingTransfer.Client, _ responder: inout Responder) -> Outcome {
        let hasEDNS = client.request.sizeOffset != nil
        var message: [UInt8] = []
        message.append(word: client.id)
        message.append(word: client.request.flags & 0x0100)
        message += [0, 1, 0, 0, 0, 0, 0, hasEDNS ? 1 : 0] + client.request.question
        let typeOffset = message.count - 4
        message.set(word: 6, at: typeOffset)
        if hasEDNS { message += [0, 0, 41, 2, 0, 0, 0, 0, 0, 0, 0] }
        let length = message.withUnsafeBytes { responder.answer($0, over: .udp, isPrivileged: false, into: buffer) }
        guard length >= message.count else { return .drop }
        var reply = Array(buffer[..<length])
        reply.set(word: TransferRequest.typeIXFR, at: typeOffset)
        return finish(reply, client.session, responder.now).map { .reply($0) } ?? .drop
    }

    /// Answers a signed plain query from the zone image, and signs the answer.
    private func signed(
        _ message: [UInt8], _ request: TransferRequest?, _ session: TSIGSession, _ transport: Responder.Transport,
        _ isPrivileged: Bool, _ responder: inout Responder
    ) -> Outcome {
        var message = message
        var size = 65_535
        if transport == .udp {
            size = min(request?.udpSize ?? 512, AnswerEngine.udpSizeMax)
            // The signature reduces the space for the answer.
            if let offset = request?.sizeOffset, size - session.length >= 512 {
                message.set(word: UInt16(size - session.length), at: offset)
            }
        }
        let length = message.withUnsafeBytes {
            responder.answer($0, over: transport, isPrivileged: isPrivileged, into: buffer)
        }
        guard length > 0 else { return .drop }
        var reply = Array(buffer[..<length])
        if reply.count + session.length > size {
            // Header and question with the TC bit.
            reply = Self.error(message, 0)
            reply[2] |= 0x02
        }
        return finish(reply, session, responder.now).map { .reply($0) } ?? .drop
    }

    private func note(_ rejection: TSIGRequest.Rejection, _ address: IPAddress) {
        switch rejection.reason {
        case .badKey: log.add(.badKey)
        case .badSignature: log.add(.badSignature)
        case .badTime: log.add(.badTime)
        case .badTruncation: log.add(.badTruncation)
        }
        logger.notice(
            "signature rejected",
            metadata: ["from": "\(address)", "key": "\(rejection.keyName)", "why": "\(rejection.reason)"])
    }

    // MARK: Replies without records

    private func reply(_ client: OutgoingTransfer.Client, _ rcode: UInt16, _ now: Int64, why: String? = nil) -> Outcome
    {
        finish(Self.reply(client, rcode, why: why), client.session, now).map { .reply($0) } ?? .drop
    }

    private func finish(_ reply: [UInt8], _ session: TSIGSession?, _ now: Int64) -> [UInt8]? {
        guard var session else { return reply }
        var reply = reply
        return session.sign(&reply, now: now) ? reply : nil
    }

    /// A reply of header and question to a request with a readable question; EDNS is added if the request has it.
    private static func reply(_ client: OutgoingTransfer.Client, _ rcode: UInt16, why: String? = nil) -> [UInt8] {
        var reply: [UInt8] = []
        reply.append(word: client.id)
        reply.append(word: 0x8000 | client.request.flags & 0x0100 | rcode)
        reply += [0, 1, 0, 0, 0, 0, 0, 0] + client.request.question
        guard client.request.sizeOffset != nil else { return reply }
        reply.set(word: 1, at: 10)
        // Extended DNS error 0, Other (RFC 8914 §4.1), with a text.
        let text = Array((why ?? "").utf8.prefix(400))
        var option: [UInt8] = []
        if !text.isEmpty {
            option.append(word: 15)
            option.append(word: UInt16(text.count + 2))
            option += [0, 0] + text
        }
        reply += [0, 0, 41]
        reply.append(word: UInt16(AnswerEngine.udpSizeMax))
        reply += [0, 0, 0, 0]
        reply.append(word: UInt16(option.count))
        return reply + option
    }

    /// A reply of header and question to any message of at least twelve bytes; the question is left out if it can't be
    /// read.
    private static func error(_ message: [UInt8], _ rcode: UInt16) -> [UInt8] {
        var reply = Array(message[..<2])
        reply.append(word: 0x8000 | message.word(2) & 0x7900 | rcode)
        reply += [0, 0, 0, 0, 0, 0, 0, 0]
        var end = 12
        while end < message.count, (1..<64).contains(message[end]) { end += 1 + Int(message[end]) }
        if message.word(4) == 1, end + 5 <= message.count, message[end] == 0, end - 12 < 255 {
            reply[5] = 1
            reply += message[12..<(end + 5)]
        }
        return reply
    }
}
