import IdentityKeys
import NodeIdentity
import PacketSealing
import ReflectorModel
import RelayCore

/// Who the node is and whom it believes, on its loop's thread: its handshakes, and the keys of its links and streams.
final class NodeIdentityState {
    let crypto: LibcryptoPacketCrypto
    let handshakes: NodeHandshakes<LibcryptoIdentityCrypto>

    /// - Parameters:
    ///   - seconds: time since 1970.
    ///   - revocations: the list that an earlier run has saved.
    init(_ identity: IdentityFolder, revocations: RevocationList?, seconds: UInt64, at now: MonotonicInstant) throws {
        let crypto = try LibcryptoPacketCrypto()
        self.crypto = crypto
        let trust = PeerTrust(
            authorities: identity.authorities, zone: identity.content.zone, revocations: revocations)
        handshakes = NodeHandshakes(
            LibcryptoIdentityCrypto(), credential: identity.credential, trust: trust, seconds: seconds, at: now
        ) { [unowned crypto] in crypto.install($0) }
    }

    /// Uses another identity of the same node. True if its certificate is another one.
    func replace(_ identity: IdentityFolder) -> Bool {
        handshakes.replace(identity.authorities)
        guard identity.content != handshakes.own else { return false }
        handshakes.replace(identity.credential)
        return true
    }
}
