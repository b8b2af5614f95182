import CLDNS
import Glibc

/// Reads libldns's strings and fields. A string that libldns has allocated is copied and then freed.
enum LDNSText {
    /// Takes ownership of a `malloc`ed C string.
    static func take(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        guard let pointer else { return "" }
        defer { free(pointer) }
        return String(cString: pointer)
    }

    /// A name in presentation form without the final dot; the root is "".
    static func name(_ rdf: UnsafePointer<ldns_rdf>?) -> String {
        guard let rdf else { return "" }
        let text = take(ldns_rdf2str(rdf))
        // An escaped final dot can't occur: libldns always writes the root's dot.
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }

    /// The bytes of one field. libldns holds every field in wire form.
    static func bytes(_ rdf: UnsafePointer<ldns_rdf>?) -> UnsafeRawBufferPointer {
        guard let rdf, let data = ldns_rdf_data(rdf) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: data, count: ldns_rdf_size(rdf))
    }
}

/// Numbers of record types (RFC 1035 §3.2.2 and later RFCs).
public enum LDNSType {
    public static let a: UInt16 = 1
    public static let ns: UInt16 = 2
    public static let cname: UInt16 = 5
    public static let soa: UInt16 = 6
    public static let ptr: UInt16 = 12
    public static let mx: UInt16 = 15
    public static let txt: UInt16 = 16
    public static let aaaa: UInt16 = 28
    public static let srv: UInt16 = 33
    public static let dname: UInt16 = 39
    public static let opt: UInt16 = 41
}
