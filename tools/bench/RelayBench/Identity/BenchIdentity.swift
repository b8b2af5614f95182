import Foundation
import IdentityKeys
import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayCore

/// Who a node of a benchmark is, and whom it believes.
struct BenchIdentity: Sendable {
    static let zone = "bench.example"

    let credential: NodeCredential<LibcryptoIdentityCrypto>
    let trust: PeerTrust
    /// The time at which its certificate counts, since 1970.
    let seconds: UInt64

    /// From an identity folder, for a network with daemons.
    init(loading folder: String) throws {
        let folder = try IdentityFolder(loading: folder)
        credential = folder.credential
        trust = PeerTrust(authorities: folder.authorities, zone: folder.content.zone)
        seconds = UInt64(time(nil))
    }

    fileprivate init(credential: NodeCredential<LibcryptoIdentityCrypto>, trust: PeerTrust, seconds: UInt64) {
        self.credential = credential
        self.trust = trust
        self.seconds = seconds
    }

    /// Its handshakes, which set up the keys of links in `crypto`.
    func handshakes(
        installingIn crypto: LibcryptoPacketCrypto, at now: MonotonicInstant
    ) -> NodeHandshakes<LibcryptoIdentityCrypto> {
        NodeHandshakes(
            LibcryptoIdentityCrypto(), credential: credential, trust: trust, seconds: seconds, at: now
        ) { crypto.install($0) }
    }
}

/// An operator in memory, who certifies the nodes of a benchmark without daemons.
final class BenchOperator {
    /// The time at which everything happens, since 1970.
    static let seconds: UInt64 = 1_800_000_000

    let authorities: CertificateAuthorities
    private let crypto = LibcryptoIdentityCrypto()
    private let key: LibcryptoIdentityCrypto.SigningKey
    private var serial: UInt64 = 0

    init() throws {
        key = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
        authorities = try CertificateAuthorities([crypto.publicKey(of: key)], crypto)
    }

    /// A new node with a key of its own.
    /// - Parameter hasExpired: its certificate was valid until an hour ago.
    func identity(
        _ name: String, _ role: CertifiedRole, hasExpired: Bool = false
    ) throws -> BenchIdentity {
        serial += 1
        let nodeKey = LibcryptoIdentityCrypto.SigningKey(try Ed25519PrivateKey())
        let end = hasExpired ? Self.seconds - 3_600 : Self.seconds + 90 * 86_400
        let content = try CertificateContent(
            issuer: authorities.ids[0], serial: serial, notBefore: Self.seconds - 86_400, notAfter: end, role: role,
            region: role == .edge ? .edge(RegionID(1)) : .none, zone: BenchIdentity.zone, name: name,
            publicKey: crypto.publicKey(of: nodeKey))
        let certificate = try NodeCertificate(signing: content, with: key, crypto)
        guard let credential = NodeCredential(certificate: certificate, key: nodeKey, crypto) else {
            throw Companion.Failure(description: "\(name): the certificate is of another key")
        }
        return BenchIdentity(
            credential: credential, trust: PeerTrust(authorities: authorities, zone: BenchIdentity.zone),
            seconds: Self.seconds)
    }
}
