import DNSAnswers

/// A message with one question, as `RequestHandler` reads it.
struct TransferRequest: Equatable {
    static let typeIXFR: UInt16 = 251
    static let typeAXFR: UInt16 = 252
    private static let typeOPT: UInt16 = 41
    private static let typeSOA: UInt16 = 6
    private static let classInternet: UInt16 = 1

    /// The header's second word: opcode and flags.
    var flags: UInt16
    /// Name, type and class as received.
    var question: [UInt8]
    /// The name in lower case, wire form.
    var name: [UInt8]
    var type: UInt16
    var recordClass: UInt16
    /// The serial of an IXFR client.
    var clientSerial: UInt32?
    /// Offset of the OPT record's UDP size; nil without EDNS.
    var sizeOffset: Int?
    /// Largest datagram that the client accepts.
    var udpSize = 512

    /// True for a request for a whole zone (AXFR) or its changes (IXFR).
    var isTransfer: Bool {
        flags & 0x7800 == 0 && recordClass == Self.classInternet && (type == Self.typeAXFR || type == Self.typeIXFR)
    }

    /// Nil for a message without exactly one readable question, with answers or with records that can't be parsed, and
    /// for an IXFR request without a serial.
    init?(_ message: [UInt8]) {
        guard message.count >= 12, message.word(4) == 1, message.word(6) == 0 else { return nil }
        flags = message.word(2)
        guard let end = Self.skipName(message, 12), end + 4 <= message.count, message[end - 1] == 0 else { return nil }
        name = message[12..<end].map { $0 >= 65 && $0 <= 90 ? $0 | 32 : $0 }
        question = Array(message[12..<(end + 4)])
        type = message.word(end)
        recordClass = message.word(end + 2)
        var at = end + 4
        let authorities = Int(message.word(8))
        for number in 0..<(authorities + Int(message.word(10))) {
            guard let end = Self.skipName(message, at), end + 10 <= message.count else { return nil }
            let dataEnd = end + 10 + Int(message.word(end + 8))
            guard dataEnd <= message.count else { return nil }
            switch message.word(end) {
            case Self.typeOPT where number >= authorities:
                sizeOffset = end + 2
                udpSize = max(512, Int(message.word(end + 2)))
            case Self.typeSOA where number < authorities && type == Self.typeIXFR:
                // In the data of an SOA, five 32-bit words follow the two names; the first word is the serial.
                guard dataEnd - end - 10 >= 22 else { return nil }
                clientSerial = UInt32(message.word(dataEnd - 20)) << 16 | UInt32(message.word(dataEnd - 18))
            default: break
            }
            at = dataEnd
        }
        guard at == message.count, type != Self.typeIXFR || clientSerial != nil else { return nil }
    }

    private static func skipName(_ message: [UInt8], _ start: Int) -> Int? {
        var at = start
        while at < message.count {
            let length = Int(message[at])
            if length == 0 { return at - start < 255 ? at + 1 : nil }
            if length >= 192 { return at + 2 <= message.count ? at + 2 : nil }
            guard length < 64 else { return nil }
            at += 1 + length
        }
        return nil
    }
}

extension [UInt8] {
    /// 16 bits in network order; the caller has checked the bounds.
    func word(_ at: Int) -> UInt16 { UInt16(self[at]) << 8 | UInt16(self[at + 1]) }

    mutating func append(word: UInt16) {
        append(UInt8(word >> 8))
        append(UInt8(word & 255))
    }

    mutating func set(word: UInt16, at position: Int) {
        self[position] = UInt8(word >> 8)
        self[position + 1] = UInt8(word & 255)
    }
}
