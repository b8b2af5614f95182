import NodeIdentity
import ReflectorModel

/// What an attacker can still decrypt who has recorded everything and then takes every machine, with the private keys
/// of all nodes and all epochs. Fresh keys of handshakes are gone by then.
extension AttackRun {
    func stealEpochKeys() {
        for open in opens {
            for publicKey in Set(cookies.filter { $0.cookie == open.cookie }.map(\.epochKey)) {
                guard let key = world.stolen(publicKey), let first = try? evil.agree(key, with: open.childKey) else {
                    continue
                }
                let transcript = KeySchedule.openTranscript(
                    nonce: open.nonce, cookie: open.cookie, epochKey: publicKey, childKey: open.childKey, evil)
                for opened in openeds where opened.nonce == open.nonce {
                    read(opened, after: open, transcript, first, key)
                }
            }
        }
    }

    /// Derives what the first secret, and agreements of the epoch's key, can give.
    private func read(
        _ opened: OpenedMessage, after open: OpenMessage, _ transcript: Digest, _ first: SymbolicCrypto.Secret,
        _ key: SymbolicCrypto.AgreementKey
    ) {
        let next = KeySchedule.openedTranscript(
            after: transcript, sealed: open.sealed, parentKey: opened.parentKey, evil)
        let whole = KeySchedule.linkTranscript(after: next, sealed: opened.sealed, evil)
        for second in [first, try? evil.agree(key, with: opened.parentKey)].compactMap({ $0 }) {
            _ = try? KeySchedule.linkSecrets(first, second, transcript: whole, evil)
        }
    }
}
