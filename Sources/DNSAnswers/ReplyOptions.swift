/// The contents of a reply's OPT record (RFC 6891 §6.1.2).
struct ReplyOptions {
    /// Length of the OPT record in bytes, without an extended error; 0 if the query had no OPT record.
    var length = 0
    /// NSID (RFC 5001); nil if it was not requested.
    var identity: UnsafePointer<UInt8>?
    var identityLength = 0
    /// The client subnet, copied from the query. No answer depends on the client, so the scope stays 0, as it is in the
    /// query (RFC 7871 §7.2.1).
    var subnet: UnsafePointer<UInt8>?
    var subnetLength = 0
    /// The client cookie; nil if there was none (RFC 7873).
    var clientCookie: UnsafePointer<UInt8>?
    /// Our server cookie for this client: header and hash in memory order.
    var serverCookie: (UInt64, UInt64) = (0, 0)
    var hasValidCookie = false
}

extension ReplyWriter {
    @inline(__always) mutating func appendOPT(_ query: Query, rcode: UInt16, _ options: ReplyOptions) {
        let record = end
        record[0] = 0
        store16(record + 1, RecordType.opt)
        store16(record + 3, UInt16(AnswerEngine.udpSizeMax))
        record[5] = UInt8(truncatingIfNeeded: rcode >> 4)
        record[6] = 0
        record[7] = query.dnssecOK ? 0x80 : 0
        record[8] = 0
        var place = record + 11
        if let identity = options.identity {
            Self.append(identity, count: options.identityLength, as: EDNSOption.identity, &place)
        }
        if let subnet = options.subnet {
            Self.append(subnet, count: options.subnetLength, as: EDNSOption.clientSubnet, &place)
        }
        if let cookie = options.clientCookie {
            Self.append(cookie, count: 8, as: EDNSOption.cookie, &place)
            store16(place - 10, 24)
            let words = UnsafeMutableRawPointer(place)
            words.storeBytes(of: options.serverCookie.0.littleEndian, as: UInt64.self)
            words.storeBytes(of: options.serverCookie.1.littleEndian, toByteOffset: 8, as: UInt64.self)
            place += 16
        }
        // Only error replies carry an extended error. They have no records, so there is room for it.
        if let error = extendedError {
            let text = error.text
            store16(place, EDNSOption.extendedError)
            store16(place + 2, UInt16(2 &+ text.utf8CodeUnitCount))
            store16(place + 4, error.code)
            (place + 6).update(from: text.utf8Start, count: text.utf8CodeUnitCount)
            place += 6 &+ text.utf8CodeUnitCount
        }
        store16(record + 9, UInt16(truncatingIfNeeded: place - record - 11))
        didAppendOPT(length: place - record)
    }

    @inline(__always) private static func append(
        _ data: UnsafePointer<UInt8>, count: Int, as code: UInt16, _ place: inout UnsafeMutablePointer<UInt8>
    ) {
        store16(place, code)
        store16(place + 2, UInt16(truncatingIfNeeded: count))
        (place + 4).update(from: data, count: count)
        place += 4 &+ count
    }
}
