import NodeIdentity
import ReflectorModel

/// The operator of a symbolic world and the nodes that it has certified: two edges, an entrypoint and two set
/// reflectors.
struct AttackedZone {
    static let name = "reflector.net"
    /// A time at which all certificates are valid.
    static let now: UInt64 = 1_715_000_000

    let world: SymbolicWorld
    let trust: PeerTrust
    let nodes: [NodeCredential<SymbolicCrypto>]
    /// Places of the nodes that answer handshakes.
    let parents = [2, 3, 4]

    init(seed: UInt64) {
        world = SymbolicWorld(seed: seed)
        let crypto = SymbolicCrypto(world: world, actor: -1)
        let operatorKey = crypto.makeSigningKey()
        do {
            let authorities = try CertificateAuthorities([operatorKey.publicKey], crypto)
            trust = PeerTrust(authorities: authorities, zone: Self.name)
            let all: [(String, CertifiedRole, CertifiedRegion)] = [
                ("edge-1", .edge, .edge(RegionID(1))), ("edge-2", .edge, .edge(RegionID(2))),
                ("ep-1", .entrypoint, .none), ("set-1", .set, .none), ("set-2", .set, .none),
            ]
            var nodes: [NodeCredential<SymbolicCrypto>] = []
            for (number, (name, role, region)) in all.enumerated() {
                let key = crypto.makeSigningKey()
                let content = try CertificateContent(
                    issuer: authorities.ids[0], serial: UInt64(number) + 1, notBefore: Self.now - 1_000,
                    notAfter: Self.now + 1_000, role: role, region: region, zone: Self.name, name: name,
                    publicKey: key.publicKey)
                let certificate = try NodeCertificate(signing: content, with: operatorKey, crypto)
                if let credential = NodeCredential(certificate: certificate, key: key, crypto) {
                    nodes.append(credential)
                }
            }
            precondition(nodes.count == all.count, "AttackedZone: a key of another certificate")
            self.nodes = nodes
        } catch {
            preconditionFailure("AttackedZone: \(error)")
        }
    }
}
