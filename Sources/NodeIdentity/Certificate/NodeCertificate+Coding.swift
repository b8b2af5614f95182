import ReflectorModel

/// The bytes of a certificate (WireFormat.md, "Node certificates"). There is one way to write a value, and decoding
/// accepts no other.
extension NodeCertificate {
    public var encoded: [UInt8] { content.encoded + signature.bytes }

    /// Reads a whole certificate. The signature is not verified: `CertificateAuthorities.validate` does that.
    public init(decoding bytes: some Collection<UInt8>) throws(IdentityFormatError) {
        guard bytes.count <= CertificateLimits.certificateLengthMax else { throw .tooLong }
        var reader = IdentityReader(Array(bytes)[...])
        let content = try CertificateContent(&reader)
        let signature: Signature = try reader.fixed()
        try reader.finish()
        self.init(content: content, signature: signature)
    }
}

extension CertificateContent {
    /// Precedes what is signed, so that the signature is valid for nothing else.
    static var signatureContext: String { "reflector node certificate 1" }

    /// What the operator signs: the context, a zero byte, and all bytes of the certificate before the signature.
    public var signedBytes: [UInt8] { SignedText.bytes(context: Self.signatureContext, encoded) }

    /// All bytes before the signature.
    var encoded: [UInt8] {
        var writer = IdentityWriter(capacity: 256)
        writer.write(CertificateLimits.version)
        writer.write(issuer.rawValue, bytes: 8)
        writer.write(serial, bytes: 8)
        writer.write(notBefore, bytes: CertificateLimits.timeLength)
        writer.write(notAfter, bytes: CertificateLimits.timeLength)
        writer.write(role.rawValue)
        switch region {
        case .none:
            writer.write(RegionKind.none.rawValue)
        case .edge(let region):
            writer.write(RegionKind.edge.rawValue)
            writer.write(UInt64(region.rawValue), bytes: 4)
        case .set(let name):
            writer.write(RegionKind.set.rawValue)
            writer.writeName(name)
        }
        writer.writeName(zone)
        writer.writeName(name)
        limits.write(&writer)
        writer.write(publicKey)
        return writer.bytes
    }

    private enum RegionKind: UInt8 {
        case none = 0
        case edge = 1
        case set = 2
    }

    init(_ reader: inout IdentityReader) throws(IdentityFormatError) {
        guard try reader.byte() == CertificateLimits.version else { throw .badVersion }
        let issuer = OperatorKeyID(try reader.integer(bytes: 8))
        let serial = try reader.integer(bytes: 8)
        let notBefore = try reader.seconds()
        let notAfter = try reader.seconds()
        guard let role = CertifiedRole(rawValue: try reader.byte()) else { throw .unknownRole }
        guard let kind = RegionKind(rawValue: try reader.byte()) else { throw .unknownRegionKind }
        let region: CertifiedRegion
        switch kind {
        case .none: region = .none
        case .edge: region = .edge(RegionID(UInt32(try reader.integer(bytes: 4))))
        case .set: region = .set(try reader.host(orThrow: .badSetRegion))
        }
        let zone = try reader.host(orThrow: .badZone)
        let name = try reader.host(orThrow: .badNodeName)
        let limits = try NodeLimits(&reader)
        try self.init(
            issuer: issuer, serial: serial, notBefore: notBefore, notAfter: notAfter, role: role, region: region,
            zone: zone, name: name, limits: limits, publicKey: try reader.fixed())
    }
}

/// Text that is signed always begins with the name of its purpose and a zero byte. No purpose contains a zero byte, so
/// a signature for one purpose is never valid for another.
public enum SignedText {
    public static func bytes(context: String, _ body: some Sequence<UInt8>) -> [UInt8] {
        Array(context.utf8) + [0] + Array(body)
    }
}
