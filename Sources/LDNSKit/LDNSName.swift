import CLDNS

/// Domain names between text and wire form (RFC 1035 §3.1, §5.1).
public enum LDNSName {
    /// Uncompressed wire form of a name in presentation form, taken as absolute with or without the final dot. Case is
    /// kept. Throws for empty or overlong labels, names over 255 bytes and bad escapes.
    public static func wire(_ text: String) throws(LDNSError) -> [UInt8] {
        guard !text.utf8.contains(0), text.utf8.count <= 1_024 else {
            throw LDNSError("not a domain name", input: text)
        }
        var rdf: UnsafeMutablePointer<ldns_rdf>?
        let status = ldns_str2rdf_dname(&rdf, text)
        defer { ldns_rdf_deep_free(rdf) }
        guard status == LDNS_STATUS_OK else { throw LDNSError(status, input: text) }
        return Array(LDNSText.bytes(rdf))
    }

    /// Presentation form of an uncompressed wire name, without the final dot. Nil for bytes that are no name.
    public static func text(_ wire: [UInt8]) -> String? {
        var position = 0
        var rdf: UnsafeMutablePointer<ldns_rdf>?
        let status = wire.withUnsafeBufferPointer { ldns_wire2dname(&rdf, $0.baseAddress, $0.count, &position) }
        defer { ldns_rdf_deep_free(rdf) }
        guard status == LDNS_STATUS_OK, position == wire.count else { return nil }
        return LDNSText.name(rdf)
    }
}
