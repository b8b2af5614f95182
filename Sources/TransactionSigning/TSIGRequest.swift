/// The server's verdict on a request's signature, or on its absence (RFC 8945 §5.2).
public enum TSIGRequest: Sendable {
    case unsigned
    /// FORMERR: the record is not the last one or is truncated, or the code has an invalid length.
    case malformed
    /// NOTAUTH.
    case rejected(Rejection)
    /// Valid and in time. `message` is the request without the signature.
    case signed(TSIGSession, message: [UInt8])

    /// A signature that is not accepted, and how to reply to it.
    public struct Rejection: Sendable {
        public enum Reason: UInt16, Sendable, CaseIterable {
            /// BADSIG: the code is wrong, for example because the two ends have different secrets under one name.
            case badSignature = 16
            /// BADKEY: no key of that name and algorithm.
            case badKey = 17
            /// BADTIME: the signature is valid, but the time is outside the allowed difference.
            case badTime = 18
            /// BADTRUNC: the signature is valid, but truncated further than we accept.
            case badTruncation = 22
        }

        public let reason: Reason
        /// Name of the key as in the request.
        public let keyName: String
        private let record: TSIGRecord
        /// Nil if the reply can't be signed.
        private var session: TSIGSession?

        init(_ reason: Reason, _ record: TSIGRecord, _ session: TSIGSession? = nil) {
            self.reason = reason
            self.record = record
            self.session = session
            keyName = TSIGName.text(record.keyName)
        }

        /// Appends the record with the error to a reply: signed for BADTIME (with our time) and BADTRUNC, otherwise
        /// without a code (RFC 8945 §5.3.2).
        public func finish(_ reply: inout [UInt8], now: Int64) {
            let seconds = UInt64(max(now, 0))
            if var session {
                let isTime = reason == .badTime
                _ = session.sign(
                    &reply, now: now, error: reason.rawValue, other: isTime ? TSIGRecord.time(seconds) : [],
                    time: isTime ? record.timeSigned : seconds, fudge: record.fudge)
                return
            }
            guard reply.count >= 12 else { return }
            append(
                TSIGRecord(
                    keyName: record.keyName, algorithmName: record.algorithmName, timeSigned: seconds,
                    fudge: record.fudge, originalID: record.originalID, error: reason.rawValue), to: &reply)
        }
    }

    /// Verifies a request, in the order of the RFC: key, code, time, truncation.
    /// - Parameter now: seconds since 1970.
    public static func verify(_ message: [UInt8], keys: TSIGKeyring, now: Int64) -> TSIGRequest {
        let found: TSIGRecord?
        do throws(TSIGRecord.Failure) { found = try TSIGRecord.find(in: message) } catch { return .malformed }
        guard let found else { return .unsigned }
        guard let key = keys[found.keyName], found.algorithmName == key.algorithm.name else {
            return .rejected(Rejection(.badKey, found))
        }
        // RFC 8945 §5.2.2.1: a code must not be longer than a full code, and not shorter than half of one or than ten
        // bytes.
        guard found.code.count <= key.algorithm.length, found.code.count >= max(10, key.algorithm.length / 2) else {
            return .malformed
        }
        let unsigned = found.unsigned(message)
        guard let code = key.code(of: [unsigned, found.variables]),
            TSIGKey.isEqual(found.code, code.prefix(found.code.count))
        else { return .rejected(Rejection(.badSignature, found)) }
        let session = TSIGSession(key, request: found)
        guard found.isTimely(now) else { return .rejected(Rejection(.badTime, found, session)) }
        guard found.code.count == key.algorithm.length else {
            return .rejected(Rejection(.badTruncation, found, session))
        }
        // The id is returned as received; a forwarder may have changed it.
        return .signed(session, message: Array(message[..<2]) + unsigned.dropFirst(2))
    }
}
