import NodeIdentity
import ReflectorModel
import RelayCore

/// The certificate of a simulated node, and whom the node believes.
public struct SimulatedIdentity {
    public static let zone = "reflector.net"
    /// Seconds since 1970 when the virtual clock starts.
    public static let start: UInt64 = 1_800_000_000

    public static func seconds(at now: MonotonicInstant) -> UInt64 {
        start + UInt64(max(now.nanoseconds, 0) / 1_000_000_000)
    }

    public let certificate: NodeCertificate
    public let trust: PeerTrust
    private let key: UInt64

    /// A certificate for what the configuration says, valid for years.
    public init(_ configuration: RelayConfiguration, operatorKey: UInt64) {
        let role: CertifiedRole =
            switch configuration.role {
            case .entrypoint: .entrypoint
            case .set: .set
            case .edge: .edge
            case .observer: .observer
            }
        let region: CertifiedRegion =
            role == .edge
            ? .edge(configuration.region ?? RegionID(0)) : configuration.setRegion.map { .set($0) } ?? .none
        self.init(name: configuration.name.lowercased(), role, region, operatorKey: operatorKey)
    }

    /// - Parameter serial: of the certificate; by default, it follows from the name.
    public init(
        name: String, _ role: CertifiedRole, _ region: CertifiedRegion = .none, operatorKey: UInt64,
        serial: UInt64? = nil, notBefore: UInt64 = 1, notAfter: UInt64 = start * 2
    ) {
        let crypto = SimulatedIdentityCrypto(seed: 0)
        let key = FixedHash.combine(operatorKey, NodeID(name: name).rawValue)
        do {
            let operatorPublicKey: VerificationKey = crypto.publicKey(of: operatorKey)
            let authorities = try CertificateAuthorities([operatorPublicKey], crypto)
            let content = try CertificateContent(
                issuer: authorities.ids[0], serial: serial ?? max(NodeID(name: name).rawValue, 1),
                notBefore: notBefore, notAfter: notAfter, role: role, region: region, zone: Self.zone, name: name,
                publicKey: crypto.publicKey(of: key))
            certificate = try NodeCertificate(signing: content, with: operatorKey, crypto)
            trust = PeerTrust(authorities: authorities, zone: Self.zone)
        } catch {
            preconditionFailure("SimulatedIdentity: \(name) can't have a certificate: \(error)")
        }
        self.key = key
    }

    /// A list that revokes these certificates, signed by the operator.
    public static func revocations(
        of serials: [UInt64], sequence: UInt64, operatorKey: UInt64
    ) throws -> RevocationList {
        let crypto = SimulatedIdentityCrypto(seed: 0)
        let publicKey: VerificationKey = crypto.publicKey(of: operatorKey)
        let content = try RevocationList.Content(
            zone: zone, sequence: sequence, issuedAt: start, issuer: OperatorKeyID(of: publicKey, crypto),
            serials: serials)
        return try RevocationList(signing: content, with: operatorKey, crypto)
    }

    public func credential(_ crypto: SimulatedIdentityCrypto) -> NodeCredential<SimulatedIdentityCrypto> {
        guard let credential = NodeCredential(certificate: certificate, key: key, crypto) else {
            preconditionFailure("SimulatedIdentity: the key is not the certificate's")
        }
        return credential
    }
}
