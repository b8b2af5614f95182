/// One signed exchange, at either end. It creates and verifies the codes of the messages; each code covers the previous
/// one (RFC 8945 §5.3).
public struct TSIGSession: Sendable {
    /// Fudge of our own messages: allowed clock difference in seconds.
    public static let fudge: UInt16 = 300

    public let key: TSIGKey
    /// Code of the latest message; empty if there is none.
    private var code: [UInt8] = []
    private var messages = 0

    /// A session that starts with our own request.
    public init(_ key: TSIGKey) { self.key = key }

    /// The session of a request that was verified, or failed only with BADTIME or BADTRUNC.
    init(_ key: TSIGKey, request: TSIGRecord) {
        self.key = key
        code = request.code
        messages = 1
    }

    /// Bytes that `sign` adds to a message.
    public var length: Int { key.name.count + 26 + key.algorithm.name.count + key.algorithm.length }

    /// Signs our next message.
    /// - Parameters:
    ///   - now: seconds since 1970.
    /// - Returns: false if libcrypto fails; the message is then unchanged and must not be sent.
    public mutating func sign(_ message: inout [UInt8], now: Int64) -> Bool {
        sign(&message, now: now, error: 0, other: [], time: UInt64(max(now, 0)), fudge: Self.fudge)
    }

    mutating func sign(
        _ message: inout [UInt8], now: Int64, error: UInt16, other: [UInt8], time: UInt64, fudge: UInt16
    ) -> Bool {
        guard message.count >= 12 else { return false }
        var record = TSIGRecord(
            keyName: key.name, algorithmName: key.algorithm.name, timeSigned: time, fudge: fudge,
            originalID: UInt16(message[0]) << 8 | UInt16(message[1]), error: error, other: other)
        guard let code = next(message, record) else { return false }
        record.code = code
        self.code = code
        messages += 1
        append(record, to: &message)
        return true
    }

    /// Verifies a reply to our message; all replies must be signed.
    public mutating func check(_ message: [UInt8], now: Int64) -> Bool {
        guard let found = try? TSIGRecord.find(in: message), found.keyName == key.name,
            found.algorithmName == key.algorithm.name, found.error == 0,
            let wanted = next(found.unsigned(message), found), TSIGKey.isEqual(found.code, wanted),
            found.isTimely(now)
        else { return false }
        code = found.code
        messages += 1
        return true
    }

    /// The code of the next message.
    private func next(_ message: [UInt8], _ record: TSIGRecord) -> [UInt8]? {
        let before = code.isEmpty ? [] : TSIGRecord.word(UInt16(code.count)) + code
        // The codes of the request and its first reply cover all signed fields of the record, later ones only the time
        // fields.
        return key.code(of: [before, message, messages < 2 ? record.variables : record.timers])
    }
}

/// Appends a record to a message that has room for one more.
func append(_ record: TSIGRecord, to message: inout [UInt8]) {
    let count = UInt16(message[10]) << 8 | UInt16(message[11])
    message[10] = UInt8((count &+ 1) >> 8)
    message[11] = UInt8((count &+ 1) & 255)
    message += record.bytes
}

extension TSIGRecord {
    /// The message as it was before this record was appended, with its original id and record count.
    func unsigned(_ message: [UInt8]) -> [UInt8] {
        var result = Array(message[..<start])
        let count = (UInt16(result[10]) << 8 | UInt16(result[11])) &- 1
        result[0] = UInt8(originalID >> 8)
        result[1] = UInt8(originalID & 255)
        result[10] = UInt8(count >> 8)
        result[11] = UInt8(count & 255)
        return result
    }

    func isTimely(_ now: Int64) -> Bool {
        let now = UInt64(max(now, 0))
        let difference = now > timeSigned ? now - timeSigned : timeSigned - now
        return difference <= UInt64(fudge)
    }
}
