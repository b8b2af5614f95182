import ReflectorModel

/// What each end says about itself under encryption: certificate, signature over the transcript, the node that it means
/// to talk to, and what the link needs.
///
/// ```
/// length of the certificate (2), certificate, signature (64), id of the intended peer (8), length of the payload (2),
/// payload
/// ```
public struct SealedIdentity: Equatable, Sendable {
    public var certificate: NodeCertificate
    public var signature: Signature
    public var intended: NodeID
    public var payload: [UInt8]

    /// The bytes that are encrypted.
    public var encoded: [UInt8] {
        let certificate = certificate.encoded
        var writer = IdentityWriter(capacity: HandshakeSizes.sealedMax)
        writer.write(UInt64(certificate.count), bytes: 2)
        writer.write(certificate)
        writer.write(signature)
        writer.write(intended.rawValue, bytes: 8)
        writer.write(UInt64(payload.count), bytes: 2)
        writer.write(payload)
        return writer.bytes
    }

    /// - Parameter payload: at most `HandshakeSizes.payloadMax` bytes.
    public init(certificate: NodeCertificate, signature: Signature, intended: NodeID, payload: [UInt8]) {
        precondition(payload.count <= HandshakeSizes.payloadMax, "SealedIdentity: a payload that is too long")
        self.certificate = certificate
        self.signature = signature
        self.intended = intended
        self.payload = payload
    }

    /// Reads all of the bytes strictly.
    public init(decoding bytes: [UInt8]) throws(IdentityFormatError) {
        var reader = IdentityReader(bytes[...])
        let length = Int(try reader.integer(bytes: 2))
        guard length <= CertificateLimits.certificateLengthMax else { throw .tooLong }
        let certificate = try NodeCertificate(decoding: try reader.take(length))
        let signature: Signature = try reader.fixed()
        let intended = NodeID(try reader.integer(bytes: 8))
        let payloadLength = Int(try reader.integer(bytes: 2))
        guard payloadLength <= HandshakeSizes.payloadMax else { throw .tooLong }
        let payload = Array(try reader.take(payloadLength))
        try reader.finish()
        self.init(certificate: certificate, signature: signature, intended: intended, payload: payload)
    }
}
