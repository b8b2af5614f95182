import CLDNS
import Glibc
import Testing

@testable import TransactionSigning

/// libldns signs and verifies with the two algorithms that it supports. It does not check times, and does not support
/// SHA-384.
@Suite("TSIG against libldns")
struct LDNSOracleTests {
    private static let secret = "c2VjcmV0IG9mIHRoZSB0d28gZW5kcyBvZiBhIGxpbmU="

    private func key(_ algorithm: TSIGAlgorithm) throws -> TSIGKey {
        let bytes = try #require(Base64.decode(Self.secret))
        return try #require(TSIGKey(name: "oracle.example", algorithm: algorithm, secret: bytes))
    }

    private func name(_ algorithm: TSIGAlgorithm) -> String { algorithm.rawValue + "." }

    /// A query signed by libldns, and its MAC.
    private func signedQuery(_ algorithm: TSIGAlgorithm) throws -> (bytes: [UInt8], code: OpaqueBytes) {
        var owner: UnsafeMutablePointer<ldns_rdf>?
        #expect(ldns_str2rdf_dname(&owner, "n1.r1283.example.net.") == LDNS_STATUS_OK)
        let packet = try #require(ldns_pkt_query_new(owner, LDNS_RR_TYPE_SOA, LDNS_RR_CLASS_IN, 0))
        defer { ldns_pkt_free(packet) }
        ldns_pkt_set_id(packet, 77)
        let status = ldns_pkt_tsig_sign(packet, "oracle.example.", Self.secret, 300, name(algorithm), nil)
        #expect(status == LDNS_STATUS_OK)
        var wire: UnsafeMutablePointer<UInt8>?
        var size = 0
        #expect(ldns_pkt2wire(&wire, packet, &size) == LDNS_STATUS_OK)
        defer { free(wire) }
        let code = try #require(ldns_rr_rdf(ldns_pkt_tsig(packet), 3))
        return (Array(UnsafeBufferPointer(start: wire, count: size)), OpaqueBytes(ldns_rdf_clone(code)))
    }

    /// Owns an ldns field, and frees it.
    private final class OpaqueBytes {
        let field: UnsafeMutablePointer<ldns_rdf>?
        init(_ field: UnsafeMutablePointer<ldns_rdf>?) { self.field = field }
        deinit { ldns_rdf_deep_free(field) }
    }

    @Test("We accept signatures of libldns, and it accepts ours", arguments: [TSIGAlgorithm.hmacSHA256, .hmacSHA512])
    func bothWays(_ algorithm: TSIGAlgorithm) throws {
        let key = try key(algorithm)
        let (query, code) = try signedQuery(algorithm)
        let seconds = Int64(time(nil))
        guard case .signed(var session, var reply) = TSIGRequest.verify(query, keys: TSIGKeyring([key]), now: seconds)
        else {
            Issue.record("not genuine")
            return
        }
        reply[2] |= 0x84
        let isSigned = session.sign(&reply, now: seconds)
        #expect(isSigned)
        func isTaken(_ reply: [UInt8]) -> Bool {
            var packet: UnsafeMutablePointer<ldns_pkt>?
            guard ldns_wire2pkt(&packet, reply, reply.count) == LDNS_STATUS_OK else { return false }
            defer { ldns_pkt_free(packet) }
            return ldns_pkt_tsig_verify(
                packet, reply, reply.count, "oracle.example.", Self.secret, code.field) != 0
        }
        #expect(isTaken(reply))
        reply[3] ^= 1
        #expect(!isTaken(reply))
    }
}
