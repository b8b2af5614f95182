import NodeIdentity
import ReflectorModel

/// Who a prober is, and whom it believes.
struct ProbeIdentity<Crypto: IdentityCrypto> {
    let crypto: Crypto
    /// Presented on links that open from now on.
    var credential: NodeCredential<Crypto>
    var trust: PeerTrust
    private var clock: (seconds: UInt64, at: MonotonicInstant)

    /// - Parameter seconds: time since 1970 at `now`.
    init(
        _ crypto: Crypto, credential: NodeCredential<Crypto>, trust: PeerTrust, seconds: UInt64,
        at now: MonotonicInstant
    ) {
        self.crypto = crypto
        self.credential = credential
        self.trust = trust
        clock = (seconds, now)
    }

    /// The wall clock has been read again: it may have been set.
    mutating func setSeconds(_ seconds: UInt64, at now: MonotonicInstant) { clock = (seconds, now) }

    /// The time since 1970, for certificates.
    func seconds(at now: MonotonicInstant) -> UInt64 {
        clock.seconds &+ UInt64(max((now - clock.at).nanoseconds, 0) / 1_000_000_000)
    }

    /// Whether a peer that proved its identity before is still to be believed: its certificate may have expired or been
    /// revoked since.
    func isTrusted(_ peer: CertificateContent, at now: MonotonicInstant) -> Bool {
        trust.authorities.standing(
            of: peer, at: seconds(at: now), zone: trust.zone, revocations: trust.revocations) == .valid
    }
}

/// Why a target can't be probed although it answers.
enum ProbeProblem: Equatable, CustomStringConvertible {
    /// The target does not let this name server in.
    case refused(HandshakeRefusal)
    /// The target's certificate is not valid here.
    case certificate(Validity)
    /// Another node answers at the target's address, or one that does not answer probes.
    case otherNode

    /// Nil for errors that somebody on the path could have caused, and for those of this machine.
    init?(_ error: HandshakeError) {
        switch error {
        case .certificate(let validity): self = .certificate(validity)
        case .otherNode, .powers, .ownName: self = .otherNode
        default: return nil
        }
    }

    var description: String {
        switch self {
        case .refused(let reason):
            switch reason {
            case .certificateExpired, .certificateNotYetValid:
                "it refuses this name server's certificate (\(reason)): renew it, and compare the clocks"
            case .certificateRevoked: "it refuses this name server: its certificate is revoked"
            case .certificateUntrusted:
                "it refuses this name server: its `operators` file has no admin who signed this certificate"
            default: "it refuses this name server (\(reason))"
            }
        case .certificate(.expired): "its certificate has expired: renew it"
        case .certificate(.notYetValid): "its certificate is not valid yet: compare the clocks"
        case .certificate(.revoked): "its certificate is revoked"
        case .certificate(let validity):
            "its certificate does not count here (\(validity)): compare the `operators` files"
        case .otherNode: "another node answers at its address: compare the zone with the node's certificate"
        }
    }
}
