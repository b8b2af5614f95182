import CLDNS
import Glibc

/// The question of a query or message. The name keeps its case, so that 0x20 encoding can be checked.
public struct DNSQuestion: Sendable, Hashable {
    /// Presentation form without the final dot, case as on the wire.
    public var name: String
    public var type: UInt16
    public init(name: String, type: UInt16) {
        self.name = name
        self.type = type
    }
}

/// One EDNS option (RFC 6891 §6.1.2).
public struct EDNSOption: Sendable, Hashable {
    /// 10 for a cookie (RFC 7873).
    public static let cookie: UInt16 = 10
    public var code: UInt16
    public var data: [UInt8]
    public init(code: UInt16, data: [UInt8]) {
        self.code = code
        self.data = data
    }
}

/// A DNS message as plain values (RFC 1035 §4, RFC 6891). `query` makes the bytes of a query; `parse` checks the bytes
/// of a message and reads them.
public struct LDNSMessage: Sendable, Equatable {
    public var id: UInt16
    /// QR: true for a response.
    public var isResponse: Bool
    public var opcode: UInt8
    /// AA.
    public var isAuthoritative: Bool
    /// TC: retry over TCP.
    public var isTruncated: Bool
    public var recursionDesired: Bool
    public var recursionAvailable: Bool
    /// The whole 12-bit code, including the EDNS part. 0 no error, 3 NXDOMAIN, 5 refused.
    public var rcode: UInt16
    /// Exactly one in a well-formed query or answer.
    public var questions: [DNSQuestion]
    public var answers: [LDNSRecord]
    public var authority: [LDNSRecord]
    /// Additional records without the OPT record.
    public var additional: [LDNSRecord]
    /// Nil for a message without EDNS.
    public var edns: EDNS?

    public struct EDNS: Sendable, Equatable {
        /// Largest UDP answer that the sender accepts, in bytes.
        public var udpSize: UInt16
        public var version: UInt8
        /// DO: DNSSEC records are wanted (RFC 3225).
        public var dnssecOK: Bool
        public var options: [EDNSOption]
    }

    /// Bytes of a query with one question.
    ///
    /// - Parameters:
    ///   - name: presentation form; its case is kept (0x20).
    ///   - udpSize: EDNS payload size; 0 sends no OPT record.
    public static func query(
        id: UInt16, name: String, type: UInt16, recursionDesired: Bool = false, udpSize: UInt16 = 1_232,
        options: [EDNSOption] = []
    ) throws(LDNSError) -> [UInt8] {
        guard !name.utf8.contains(0), name.utf8.count <= 1_024 else {
            throw LDNSError("not a domain name", input: name)
        }
        var owner: UnsafeMutablePointer<ldns_rdf>?
        let status = ldns_str2rdf_dname(&owner, name)
        guard status == LDNS_STATUS_OK, let owner else { throw LDNSError(status, input: name) }
        // If this succeeds, the packet owns the name.
        guard
            let packet = ldns_pkt_query_new(
                owner, ldns_rr_type(rawValue: UInt32(type)), LDNS_RR_CLASS_IN,
                recursionDesired ? UInt16(LDNS_RD) : 0)
        else {
            ldns_rdf_deep_free(owner)
            throw LDNSError(LDNS_STATUS_MEM_ERR, input: name)
        }
        defer { ldns_pkt_free(packet) }
        ldns_pkt_set_id(packet, id)
        if udpSize > 0 {
            ldns_pkt_set_edns_udp_size(packet, udpSize)
            let bytes = optionBytes(options)
            guard bytes.count <= 4_096 else { throw LDNSError("EDNS options over 4096 bytes", input: name) }
            if !bytes.isEmpty {
                ldns_pkt_set_edns_data(
                    packet,
                    bytes.withUnsafeBytes { ldns_rdf_new_frm_data(LDNS_RDF_TYPE_UNKNOWN, $0.count, $0.baseAddress) })
            }
        }
        var wire: UnsafeMutablePointer<UInt8>?
        var size = 0
        let written = ldns_pkt2wire(&wire, packet, &size)
        defer { free(wire) }
        guard written == LDNS_STATUS_OK, let wire else { throw LDNSError(written, input: name) }
        return Array(UnsafeBufferPointer(start: wire, count: size))
    }

    /// Parses a message. Throws if it is malformed; never traps.
    public static func parse(_ bytes: UnsafeRawBufferPointer) throws(LDNSError) -> LDNSMessage {
        guard bytes.count >= 12, bytes.count <= 65_535, let base = bytes.baseAddress else {
            throw LDNSError("message of \(bytes.count) bytes", input: "")
        }
        var packet: UnsafeMutablePointer<ldns_pkt>?
        let status = ldns_wire2pkt(&packet, base.assumingMemoryBound(to: UInt8.self), bytes.count)
        guard status == LDNS_STATUS_OK, let packet else {
            throw LDNSError(status, input: "message of \(bytes.count) bytes")
        }
        defer { ldns_pkt_free(packet) }
        return LDNSMessage(packet)
    }

    /// Parses a message. Throws if it is malformed; never traps.
    public static func parse(_ bytes: [UInt8]) throws(LDNSError) -> LDNSMessage {
        // `withUnsafeBytes` rethrows untyped errors, so the outcome is returned as a value.
        try bytes.withUnsafeBytes { buffer -> Result<LDNSMessage, LDNSError> in
            do throws(LDNSError) { return .success(try parse(buffer)) } catch { return .failure(error) }
        }.get()
    }

    private init(_ packet: UnsafeMutablePointer<ldns_pkt>) {
        id = ldns_pkt_id(packet)
        isResponse = ldns_pkt_qr(packet) != 0
        opcode = UInt8(truncatingIfNeeded: ldns_pkt_get_opcode(packet).rawValue)
        isAuthoritative = ldns_pkt_aa(packet) != 0
        isTruncated = ldns_pkt_tc(packet) != 0
        recursionDesired = ldns_pkt_rd(packet) != 0
        recursionAvailable = ldns_pkt_ra(packet) != 0
        rcode =
            UInt16(truncatingIfNeeded: ldns_pkt_get_rcode(packet).rawValue & 0xf)
            | UInt16(ldns_pkt_edns_extended_rcode(packet)) << 4
        questions = Self.list(ldns_pkt_question(packet)) { record in
            DNSQuestion(
                name: LDNSText.name(ldns_rr_owner(record)),
                type: UInt16(truncatingIfNeeded: ldns_rr_get_type(record).rawValue))
        }
        answers = Self.list(ldns_pkt_answer(packet)) { LDNSRecord($0) }
        authority = Self.list(ldns_pkt_authority(packet)) { LDNSRecord($0) }
        additional = Self.list(ldns_pkt_additional(packet)) { LDNSRecord($0) }
        if ldns_pkt_edns(packet) != 0 {
            edns = EDNS(
                udpSize: ldns_pkt_edns_udp_size(packet), version: ldns_pkt_edns_version(packet),
                dnssecOK: ldns_pkt_edns_do(packet) != 0,
                options: Self.options(Array(LDNSText.bytes(ldns_pkt_edns_data(packet)))))
        }
    }

    private static func list<Value>(
        _ records: UnsafePointer<ldns_rr_list>?, _ read: (UnsafeMutablePointer<ldns_rr>) -> Value
    ) -> [Value] {
        guard let records else { return [] }
        return (0..<ldns_rr_list_rr_count(records)).compactMap { ldns_rr_list_rr(records, $0).map(read) }
    }

    private static func optionBytes(_ options: [EDNSOption]) -> [UInt8] {
        options.flatMap { option -> [UInt8] in
            let length = UInt16(clamping: option.data.count)
            return [
                UInt8(option.code >> 8), UInt8(option.code & 0xff), UInt8(length >> 8), UInt8(length & 0xff),
            ] + option.data
        }
    }

    /// Options up to the first malformed one.
    private static func options(_ bytes: [UInt8]) -> [EDNSOption] {
        var result: [EDNSOption] = []
        var at = 0
        while at + 4 <= bytes.count {
            let code = UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1])
            let length = Int(bytes[at + 2]) << 8 | Int(bytes[at + 3])
            at += 4
            guard at + length <= bytes.count else { break }
            result.append(EDNSOption(code: code, data: Array(bytes[at..<at + length])))
            at += length
        }
        return result
    }
}
