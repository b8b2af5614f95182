/// The TSIG record of a message (RFC 8945 §4.2).
///
/// This is our own code over libcrypto, not ldns: `ldns_pkt_tsig_verify` has one status for every failure, but a server
/// must distinguish BADKEY, BADSIG, BADTIME and BADTRUNC in its reply (RFC 8945 §5.2).
struct TSIGRecord: Equatable {
    static let type: UInt16 = 250
    /// Class ANY.
    static let recordClass: UInt16 = 255

    enum Failure: Error { case malformed }

    /// Where the record begins in its message: the message without the record ends there.
    var start = 0
    /// In wire form, lower case.
    var keyName: [UInt8]
    var algorithmName: [UInt8]
    /// Seconds since 1970, 48 bits.
    var timeSigned: UInt64
    /// Fudge: allowed clock difference in seconds.
    var fudge: UInt16
    var code: [UInt8] = []
    var originalID: UInt16
    var error: UInt16 = 0
    var other: [UInt8] = []

    /// Finds the record in a whole message. Nil if there is none; throws if it is not the last record, or the message
    /// can't be parsed up to it.
    static func find(in message: [UInt8]) throws(Failure) -> TSIGRecord? {
        var reader = MessageReader(message)
        let questions = try reader.word(at: 4)
        let records = Int(try reader.word(at: 6)) + Int(try reader.word(at: 8))
        let additional = Int(try reader.word(at: 10))
        reader.at = 12
        for _ in 0..<questions {
            _ = try reader.name()
            try reader.skip(4)
        }
        for number in 0..<(records + additional) {
            let start = reader.at
            let owner = try reader.name()
            let type = try reader.word()
            let recordClass = try reader.word()
            let ttl = (try reader.word(), try reader.word())
            let length = Int(try reader.word())
            guard type == Self.type else {
                try reader.skip(length)
                continue
            }
            let end = reader.at + length
            guard number == records + additional - 1, additional > 0, end == message.count,
                recordClass == Self.recordClass, ttl == (0, 0)
            else { throw .malformed }
            return try read(&reader, owner: owner, start: start, end: end)
        }
        return nil
    }

    private static func read(
        _ reader: inout MessageReader, owner: [UInt8], start: Int, end: Int
    ) throws(Failure) -> TSIGRecord {
        let algorithm = try reader.name()
        let time = (try reader.word(), try reader.word(), try reader.word())
        let fudge = try reader.word()
        let code = try reader.bytes(Int(try reader.word()))
        let originalID = try reader.word()
        let error = try reader.word()
        let other = try reader.bytes(Int(try reader.word()))
        guard reader.at == end else { throw .malformed }
        return TSIGRecord(
            start: start, keyName: owner, algorithmName: algorithm,
            timeSigned: UInt64(time.0) << 32 | UInt64(time.1) << 16 | UInt64(time.2), fudge: fudge, code: code,
            originalID: originalID, error: error, other: other)
    }

    /// Wire form, to be appended to a message.
    var bytes: [UInt8] {
        var data = algorithmName + timers
        data += Self.word(UInt16(code.count)) + code
        data += Self.word(originalID) + Self.word(error) + Self.word(UInt16(other.count)) + other
        var result = keyName + Self.word(Self.type) + Self.word(Self.recordClass) + [0, 0, 0, 0]
        result += Self.word(UInt16(data.count)) + data
        return result
    }

    /// The fields of the record that are signed in addition to the message (RFC 8945 §4.3.3).
    var variables: [UInt8] {
        keyName + Self.word(Self.recordClass) + [0, 0, 0, 0] + algorithmName + timers + Self.word(error)
            + Self.word(UInt16(other.count)) + other
    }

    /// The fields that are signed from a transfer's second message on (RFC 8945 §5.3.1).
    var timers: [UInt8] { Self.time(timeSigned) + Self.word(fudge) }

    static func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }

    /// 48 bits.
    static func time(_ seconds: UInt64) -> [UInt8] {
        (0..<6).map { UInt8(truncatingIfNeeded: seconds >> UInt64(40 - 8 * $0)) }
    }
}

/// Reads a message piece by piece, never beyond its end.
private struct MessageReader {
    private let message: [UInt8]
    var at = 0

    /// Maximum number of pointers followed in one name; more are treated as a loop.
    private static let pointersMax = 32

    init(_ message: [UInt8]) { self.message = message }

    func word(at position: Int) throws(TSIGRecord.Failure) -> UInt16 {
        guard position + 2 <= message.count else { throw .malformed }
        return UInt16(message[position]) << 8 | UInt16(message[position + 1])
    }

    mutating func word() throws(TSIGRecord.Failure) -> UInt16 {
        let value = try word(at: at)
        at += 2
        return value
    }

    mutating func skip(_ count: Int) throws(TSIGRecord.Failure) {
        guard at + count <= message.count else { throw .malformed }
        at += count
    }

    mutating func bytes(_ count: Int) throws(TSIGRecord.Failure) -> [UInt8] {
        let start = at
        try skip(count)
        return Array(message[start..<at])
    }

    /// Reads a name, compressed or not, in lower case.
    mutating func name() throws(TSIGRecord.Failure) -> [UInt8] {
        var result: [UInt8] = []
        var position = at
        var pointers = 0
        while true {
            guard position < message.count else { throw .malformed }
            let length = Int(message[position])
            switch length {
            case 0:
                if pointers == 0 { at = position + 1 }
                return result + [0]
            case 1..<64:
                guard position + length < message.count, result.count + length + 2 <= TSIGName.lengthMax else {
                    throw .malformed
                }
                result.append(UInt8(length))
                result += message[(position + 1)...(position + length)].map(TSIGName.lowercased)
                position += 1 + length
            case 192...:
                let target = Int(try word(at: position)) & 0x3fff
                if pointers == 0 { at = position + 2 }
                pointers += 1
                guard pointers <= Self.pointersMax, target < position else { throw .malformed }
                position = target
            default: throw .malformed
            }
        }
    }
}
