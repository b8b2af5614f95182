/// A query parsed from a datagram or a TCP message. For any bytes, parsing yields a query to answer, an error to send
/// back, or nothing.
struct Query {
    var id: UInt16 = 0
    var flags: UInt16 = 0
    /// End of the question; 12 if it could not be parsed.
    var questionEnd = 12
    var type: UInt16 = 0
    var recordClass: UInt16 = 0
    var hasEDNS = false
    var dnssecOK = false
    var wantsIdentity = false
    /// Largest datagram that the client accepts.
    var udpSize = 512
    /// Offset of the client subnet's address family (RFC 7871 §6), and the length of the option's data.
    var subnetOffset = 0
    var subnetLength = 0
    /// Offset of the cookie (RFC 7873 §4), and its length: 8, or 16 to 40; 0 if there is none.
    var cookieOffset = 0
    var cookieLength = 0
    /// True if there is no question: the client requests only our cookie (RFC 7873 §5.4).
    var isCookieOnly = false
    var rcode = ResponseCode.noError
    /// Why the query is rejected; nil if it is to be answered.
    var problem: AnswerCounter?

    /// True if the query is signed or asks for a transfer: the image alone cannot answer it.
    @inline(__always) var isForDesk: Bool {
        problem == .signed || problem == nil && (type == RecordType.ixfr || type == RecordType.axfr)
    }

    /// True if no reply may be sent: otherwise an attacker could make two servers answer each other endlessly.
    @inline(__always) var isDropped: Bool { problem == .tooShort || problem == .isResponse }

    @inline(__always) static func read(_ message: UnsafeRawBufferPointer, name: inout QueryName) -> Query {
        var query = Query()
        guard message.count >= 12, let raw = message.baseAddress else { return query.rejected(.tooShort, 0) }
        let bytes = raw.assumingMemoryBound(to: UInt8.self)
        query.id = load16(bytes)
        query.flags = load16(bytes + 2)
        guard query.flags & 0x8000 == 0 else { return query.rejected(.isResponse, 0) }
        guard query.flags & 0x7800 == 0 else { return query.rejected(.badOperation, ResponseCode.notImplemented) }
        let questions = load16(bytes + 4)
        if questions == 0 { return query.readCookieOnly(bytes, count: message.count) }
        guard questions == 1 else { return query.rejected(.badCounts, ResponseCode.formatError) }
        guard name.load(bytes, start: 12, end: message.count) else {
            return query.rejected(.badQuestion, ResponseCode.formatError)
        }
        let typeAt = 12 &+ name.length
        guard typeAt &+ 4 <= message.count else { return query.rejected(.badQuestion, ResponseCode.formatError) }
        query.type = load16(bytes + typeAt)
        query.recordClass = load16(bytes + typeAt + 2)
        query.questionEnd = typeAt &+ 4
        // An IXFR query carries the client's SOA (RFC 1995 §3).
        let authorities = load16(bytes + 8)
        guard load16(bytes + 6) == 0, authorities == 0 || query.type == RecordType.ixfr && authorities == 1 else {
            return query.rejected(.badCounts, ResponseCode.formatError)
        }
        query.readTail(bytes, count: message.count, records: Int(authorities) &+ Int(load16(bytes + 10)))
        return query
    }

    private func readCookieOnly(_ bytes: UnsafePointer<UInt8>, count: Int) -> Query {
        var query = self
        let additionals = load16(bytes + 10)
        guard load16(bytes + 6) == 0, load16(bytes + 8) == 0, additionals != 0 else {
            return rejected(.badCounts, ResponseCode.formatError)
        }
        query.readTail(bytes, count: count, records: Int(additionals))
        if query.problem == nil, query.cookieLength == 0 {
            return query.rejected(.badCounts, ResponseCode.formatError)
        }
        query.isCookieOnly = true
        return query
    }

    /// Reads the records after the question: OPT, a signature, or records to skip.
    @inline(__always) private mutating func readTail(_ bytes: UnsafePointer<UInt8>, count: Int, records: Int) {
        var position = questionEnd
        for _ in 0..<records {
            let owner = position
            guard let ownerEnd = Self.skipName(bytes, position, count), ownerEnd &+ 10 <= count else {
                return fail(.badTail)
            }
            let type = load16(bytes + ownerEnd)
            let dataLength = Int(load16(bytes + ownerEnd + 8))
            let data = ownerEnd &+ 10
            guard data &+ dataLength <= count else { return fail(.badTail) }
            position = data &+ dataLength
            if type == RecordType.opt {
                guard !hasEDNS, bytes[owner] == 0 else { return fail(.badEDNS) }
                hasEDNS = true
                udpSize = max(512, Int(load16(bytes + ownerEnd + 2)))
                dnssecOK = bytes[ownerEnd + 6] & 0x80 != 0
                if bytes[ownerEnd + 5] != 0 {
                    problem = .badVersion
                    rcode = ResponseCode.badVersion
                    return
                }
                readOptions(bytes, data, position)
                if problem != nil { return }
            } else if type == RecordType.tsig {
                problem = .signed
                rcode = ResponseCode.notAuth
                return
            }
        }
        if position != count { fail(.badTail) }
    }

    private mutating func readOptions(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) {
        var position = start
        while position < end {
            guard position &+ 4 <= end else { return fail(.badEDNS) }
            let code = load16(bytes + position)
            let length = Int(load16(bytes + position + 2))
            position &+= 4
            guard position &+ length <= end else { return fail(.badEDNS) }
            if code == EDNSOption.identity { wantsIdentity = true }
            if code == EDNSOption.clientSubnet, subnetOffset == 0 {
                guard Self.isSubnet(bytes + position, length) else { return fail(.badEDNS) }
                subnetOffset = position
                subnetLength = length
            }
            // Only the first cookie counts (RFC 7873 §5.2).
            if code == EDNSOption.cookie, cookieLength == 0 {
                guard length == 8 || (16...40).contains(length) else { return fail(.badEDNS) }
                cookieOffset = position
                cookieLength = length
            }
            position &+= length
        }
    }

    /// RFC 7871 §7.1.2: the option must have a known family, scope 0, as many address bytes as the prefix needs, and
    /// zeros in the unused bits. Family 0 is valid only with prefix 0; clients send it to ask that no subnet be
    /// forwarded.
    private static func isSubnet(_ data: UnsafePointer<UInt8>, _ length: Int) -> Bool {
        guard length >= 4, data[3] == 0 else { return false }
        let prefix = Int(data[2])
        let most: Int
        switch load16(data) {
        case 0: most = 0
        case 1: most = 32
        case 2: most = 128
        default: return false
        }
        guard prefix <= most, length &- 4 == (prefix &+ 7) / 8 else { return false }
        let spare = (8 &- prefix & 7) & 7
        return spare == 0 || data[length &- 1] & ((1 << UInt8(spare)) &- 1) == 0
    }

    private static func skipName(_ bytes: UnsafePointer<UInt8>, _ start: Int, _ end: Int) -> Int? {
        var position = start
        while position < end {
            let label = Int(bytes[position])
            if label == 0 { return position &+ 1 }
            if label >= 192 { return position &+ 2 <= end ? position &+ 2 : nil }
            guard label < 64 else { return nil }
            position &+= label &+ 1
        }
        return nil
    }

    private mutating func fail(_ reason: AnswerCounter) {
        problem = reason
        rcode = ResponseCode.formatError
    }

    private func rejected(_ reason: AnswerCounter, _ rcode: UInt16) -> Query {
        var result = self
        result.problem = reason
        result.rcode = rcode
        return result
    }
}

/// EDNS option codes that we support.
enum EDNSOption {
    /// NSID, RFC 5001.
    static let identity: UInt16 = 3
    static let clientSubnet: UInt16 = 8
    /// RFC 7873.
    static let cookie: UInt16 = 10
    /// RFC 8914.
    static let extendedError: UInt16 = 15
}

@inline(__always) func load16(_ bytes: UnsafePointer<UInt8>) -> UInt16 {
    UInt16(bytes[0]) << 8 | UInt16(bytes[1])
}
