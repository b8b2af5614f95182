import CLDNS
import Glibc

/// One resource record as plain values; libldns's object is freed before the value is returned.
public struct LDNSRecord: Sendable, Equatable {
    /// Owner in presentation form: lower case, absolute, without the final dot.
    public var owner: String
    public var type: UInt16
    /// 1 for IN.
    public var recordClass: UInt16
    /// Seconds.
    public var ttl: UInt32
    /// RDATA in uncompressed wire form.
    public var data: [UInt8]
    /// RDATA in presentation form, such as `0 100 4900 nyc-1.reflector.net.`.
    public var text: String
    /// Owner in uncompressed wire form, lower case.
    public var ownerWire: [UInt8]

    /// The record in canonical form: names in its data are in lower case too, for the types that RFC 4034 §6.2 lists.
    public var canonical: LDNSRecord {
        Self.withRecord(owner: ownerWire, type: type, ttl: ttl, data: data) { record in
            ldns_rr2canonical(record)
            var result = LDNSRecord(record)
            result.recordClass = recordClass
            return result
        } ?? self
    }

    private static func withRecord<Result>(
        owner: [UInt8], type: UInt16, ttl: UInt32, data: [UInt8], _ body: (UnsafeMutablePointer<ldns_rr>) -> Result
    ) -> Result? {
        guard data.count <= 65_535 else { return nil }
        var wire = owner
        for value in [type, 1, UInt16(ttl >> 16), UInt16(ttl & 0xffff), UInt16(data.count)] {
            wire.append(UInt8(value >> 8))
            wire.append(UInt8(value & 0xff))
        }
        wire += data
        var position = 0
        var record: UnsafeMutablePointer<ldns_rr>?
        let status = wire.withUnsafeBufferPointer {
            ldns_wire2rr(&record, $0.baseAddress, $0.count, &position, LDNS_SECTION_ANSWER)
        }
        guard status == LDNS_STATUS_OK, let record, position == wire.count else { return nil }
        defer { ldns_rr_free(record) }
        return body(record)
    }

    init(_ record: UnsafePointer<ldns_rr>) {
        ldns_dname2canonical(ldns_rr_owner(record))
        owner = LDNSText.name(ldns_rr_owner(record))
        ownerWire = Array(LDNSText.bytes(ldns_rr_owner(record)))
        type = UInt16(truncatingIfNeeded: ldns_rr_get_type(record).rawValue)
        recordClass = UInt16(truncatingIfNeeded: ldns_rr_get_class(record).rawValue)
        ttl = ldns_rr_ttl(record)
        data = []
        var words: [String] = []
        for index in 0..<ldns_rr_rd_count(record) {
            guard let field = ldns_rr_rdf(record, index) else { continue }
            data.append(contentsOf: LDNSText.bytes(field))
            words.append(LDNSText.take(ldns_rdf2str(field)))
        }
        text = words.joined(separator: " ")
    }
}

extension LDNSRecord {
    /// Address bytes of an A (4) or AAAA (16) record.
    public var addressBytes: [UInt8]? {
        (type == LDNSType.a && data.count == 4) || (type == LDNSType.aaaa && data.count == 16) ? data : nil
    }

    /// Fields of an SRV record (RFC 2782); the target in lower case without the final dot.
    public var service: (priority: UInt16, weight: UInt16, port: UInt16, target: String)? {
        guard type == LDNSType.srv, data.count > 6 else { return nil }
        func word(_ at: Int) -> UInt16 { UInt16(data[at]) << 8 | UInt16(data[at + 1]) }
        guard let target = LDNSName.text(Array(data[6...])) else { return nil }
        return (word(0), word(2), word(4), target.lowercased())
    }

    /// The character strings of a TXT record; bytes that are not UTF-8 are replaced.
    public var strings: [String]? {
        guard type == LDNSType.txt else { return nil }
        var result: [String] = []
        var rest = data[...]
        while let length = rest.popFirst() {
            guard rest.count >= Int(length) else { return nil }
            result.append(String(decoding: rest.prefix(Int(length)), as: UTF8.self))
            rest = rest.dropFirst(Int(length))
        }
        return result
    }
}
