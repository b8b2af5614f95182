import NodeIdentity
import ReflectorModel
import ReflectorSimulation

/// An operator in a symbolic world, and the nodes that it certified in the zone `reflector.net` for a year.
struct Fixture {
    static let zone = "reflector.net"
    static let notBefore: UInt64 = 1_700_000_000
    static let notAfter: UInt64 = 1_731_536_000
    /// A time at which its certificates are valid.
    static let now: UInt64 = 1_715_000_000

    let world: SymbolicWorld
    let crypto: SymbolicCrypto
    let operatorKey: SymbolicCrypto.SigningKey
    let authorities: CertificateAuthorities

    init(seed: UInt64 = 1) throws {
        world = SymbolicWorld(seed: seed)
        crypto = SymbolicCrypto(world: world, actor: -1)
        operatorKey = crypto.makeSigningKey()
        authorities = try CertificateAuthorities([operatorKey.publicKey], crypto)
    }

    var issuer: OperatorKeyID { OperatorKeyID(of: operatorKey.publicKey, crypto) }
    var trust: PeerTrust { PeerTrust(authorities: authorities, zone: Self.zone) }

    func content(
        serial: UInt64 = 7, role: CertifiedRole = .edge, region: CertifiedRegion = .edge(RegionID(1283)),
        zone: String = Self.zone, name: String = "edge-1", limits: NodeLimits = NodeLimits(),
        notBefore: UInt64 = Self.notBefore, notAfter: UInt64 = Self.notAfter, key: VerificationKey? = nil
    ) throws -> CertificateContent {
        try CertificateContent(
            issuer: issuer, serial: serial, notBefore: notBefore, notAfter: notAfter, role: role, region: region,
            zone: zone, name: name, limits: limits, publicKey: key ?? world.fixed())
    }

    func certificate(_ content: CertificateContent) throws -> NodeCertificate {
        try NodeCertificate(signing: content, with: operatorKey, crypto)
    }

    /// A node with its key.
    func credential(
        _ name: String, role: CertifiedRole, region: CertifiedRegion = .none, serial: UInt64 = 7
    ) throws -> NodeCredential<SymbolicCrypto> {
        let key = crypto.makeSigningKey()
        let content = try content(serial: serial, role: role, region: region, name: name, key: key.publicKey)
        guard let credential = NodeCredential(certificate: try certificate(content), key: key, crypto) else {
            throw HandshakeError.signature
        }
        return credential
    }

    func revocations(_ serials: [UInt64], sequence: UInt64 = 1, zone: String = Self.zone) throws -> RevocationList {
        let content = try RevocationList.Content(
            zone: zone, sequence: sequence, issuedAt: Self.now, issuer: issuer, serials: serials)
        return try RevocationList(signing: content, with: operatorKey, crypto)
    }
}

/// Random content of certificates, all of it valid.
extension Fixture {
    func randomContent(_ random: inout SeededGenerator) throws -> CertificateContent {
        let role = CertifiedRole.allCases.randomElement(using: &random) ?? .edge
        let region: CertifiedRegion =
            switch role {
            case .edge: .edge(RegionID(UInt32.random(in: 0...UInt32.max, using: &random)))
            case .set: Bool.random(using: &random) ? .none : .set(Self.label(&random))
            default: .none
            }
        let notBefore = UInt64.random(in: 0..<(1 << 40) - 1, using: &random)
        var limits = NodeLimits()
        if Bool.random(using: &random) {
            limits.egressBitsPerSecond = UInt64.random(in: 1...UInt64.max, using: &random)
        }
        if Bool.random(using: &random) { limits.streams = UInt32.random(in: 1...UInt32.max, using: &random) }
        if Bool.random(using: &random) { limits.children = UInt32.random(in: 1...UInt32.max, using: &random) }
        return try CertificateContent(
            issuer: OperatorKeyID(UInt64.random(in: 0...UInt64.max, using: &random)),
            serial: UInt64.random(in: 1...UInt64.max, using: &random), notBefore: notBefore,
            notAfter: UInt64.random(in: notBefore + 1...(1 << 40) - 1, using: &random), role: role, region: region,
            zone: Self.label(&random) + "." + Self.label(&random), name: Self.label(&random), limits: limits,
            publicKey: world.fixed())
    }

    private static func label(_ random: inout SeededGenerator) -> String {
        let letters = Array("abcdefghijklmnopqtuvwxyz0123456789-_")
        let length = Int.random(in: 1...60, using: &random)
        return "q" + String((0..<length).map { _ in letters.randomElement(using: &random) ?? "q" })
    }
}
