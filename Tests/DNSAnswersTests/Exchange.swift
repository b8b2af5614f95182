import DNSAnswers
import ReflectorModel

/// Queries a responder and parses its reply strictly: anything malformed in a reply is an error.
final class Exchange {
    struct Malformed: Error { var why: String }

    struct Record: Equatable {
        var owner: String
        var type: UInt16
        var recordClass: UInt16
        var ttl: UInt32
        var data: [UInt8]

        /// Strings of a TXT record.
        var strings: [String] {
            var result: [String] = []
            var rest = data[...]
            while let count = rest.first {
                result.append(String(decoding: rest.dropFirst().prefix(Int(count)), as: UTF8.self))
                rest = rest.dropFirst(1 + Int(count))
            }
            return result
        }
    }

    struct Reply {
        var bytes: [UInt8]
        var rcode: Int
        var isAuthoritative: Bool
        var isTruncated: Bool
        /// All sixteen bits.
        var flags: UInt16
        var answers: [Record]
        var authorities: [Record]
        var additionals: [Record]
        /// The echoed question.
        var question: [UInt8]
        var opt: Record? { additionals.first { $0.type == 41 } }
        var addresses: [[UInt8]] { answers.filter { $0.type == 1 }.map(\.data) }
    }

    private var responder: Responder
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 65_535, alignment: 16)

    init(_ engine: AnswerEngine, limiter: ResponseLimiter.Configuration? = nil) {
        responder = Responder(engine, limiter: limiter, seed: 42)
    }
    deinit { buffer.deallocate() }

    func count(_ counter: AnswerCounter) -> UInt64 { responder.count(of: counter) }

    var statistics: QueryStatistics { responder.statistics }

    var cookies: ServerCookies? {
        get { responder.cookies }
        set { responder.cookies = newValue }
    }

    /// Unix time in seconds.
    var now: Int64 {
        get { responder.now }
        set { responder.now = newValue }
    }

    var instant: MonotonicInstant {
        get { responder.instant }
        set { responder.instant = newValue }
    }

    /// The reply's bytes; empty if there is none.
    func send(
        _ message: [UInt8], from source: IPAddress = IPAddress(v4: 0x7f00_0001),
        over transport: Responder.Transport = .udp, privileged: Bool = true, exempt: Bool = false
    ) -> UnsafeRawBufferPointer {
        let length = message.withUnsafeBytes {
            responder.answer(
                $0, from: source, over: transport, isPrivileged: privileged, isExempt: exempt, into: buffer)
        }
        return UnsafeRawBufferPointer(rebasing: buffer[..<length])
    }

    func ask(
        _ name: String, _ type: UInt16 = 1, recordClass: UInt16 = 1, edns: UInt16? = nil, options: [UInt8] = [],
        over transport: Responder.Transport = .udp, privileged: Bool = true
    ) throws -> Reply {
        let query = Self.query(name, type, recordClass: recordClass, edns: edns, options: options)
        return try Self.read(send(query, over: transport, privileged: privileged))
    }

    static func query(
        _ name: String, _ type: UInt16 = 1, recordClass: UInt16 = 1, edns: UInt16? = nil, options: [UInt8] = []
    ) -> [UInt8] {
        var message: [UInt8] = [0x12, 0x34, 0, 0, 0, 1, 0, 0, 0, 0, 0, edns == nil ? 0 : 1]
        message += ExampleZone.name(name)
        message += [UInt8(type >> 8), UInt8(type & 255), UInt8(recordClass >> 8), UInt8(recordClass & 255)]
        if let edns {
            message += [0, 0, 41, UInt8(edns >> 8), UInt8(edns & 255), 0, 0, 0, 0]
            message += [UInt8(options.count >> 8), UInt8(options.count & 255)] + options
        }
        return message
    }

    static func read(_ reply: UnsafeRawBufferPointer) throws -> Reply {
        let bytes = [UInt8](reply)
        guard bytes.count >= 12, bytes[2] & 0x80 != 0 else { throw Malformed(why: "no reply") }
        var position = 12
        func number(_ at: Int) -> Int { Int(bytes[at]) << 8 | Int(bytes[at + 1]) }
        func name() throws -> String {
            var labels: [String] = []
            var at = position
            var jumps = 0
            while true {
                guard at < bytes.count else { throw Malformed(why: "name beyond the end") }
                let length = Int(bytes[at])
                if length >= 192 {
                    let target = (length & 63) << 8 | Int(bytes[at + 1])
                    guard target < at, jumps < 8 else { throw Malformed(why: "pointer forward or in a loop") }
                    if jumps == 0 { position = at + 2 }
                    jumps += 1
                    at = target
                    continue
                }
                if length == 0 {
                    if jumps == 0 { position = at + 1 }
                    return labels.joined(separator: ".")
                }
                labels.append(String(decoding: bytes[at + 1..<at + 1 + length], as: UTF8.self))
                at += 1 + length
            }
        }
        func records(_ count: Int) throws -> [Record] {
            try (0..<count).map { _ in
                let owner = try name()
                guard position + 10 <= bytes.count else { throw Malformed(why: "record cut off") }
                let length = number(position + 8)
                guard position + 10 + length <= bytes.count else { throw Malformed(why: "data cut off") }
                defer { position += 10 + length }
                return Record(
                    owner: owner, type: UInt16(number(position)), recordClass: UInt16(number(position + 2)),
                    ttl: UInt32(number(position + 4)) << 16 | UInt32(number(position + 6)),
                    data: Array(bytes[position + 10..<position + 10 + length]))
            }
        }
        var question: [UInt8] = []
        if number(4) == 1 {
            _ = try name()
            position += 4
            question = Array(bytes[12..<position])
        }
        let answers = try records(number(6))
        let authorities = try records(number(8))
        let additionals = try records(number(10))
        guard position == bytes.count else { throw Malformed(why: "bytes after the message") }
        return Reply(
            bytes: bytes, rcode: Int(bytes[3] & 15), isAuthoritative: bytes[2] & 4 != 0, isTruncated: bytes[2] & 2 != 0,
            flags: UInt16(bytes[2]) << 8 | UInt16(bytes[3]), answers: answers, authorities: authorities,
            additionals: additionals, question: question)
    }
}
