import NodeIdentity
import ReflectorModel

/// A world in which cryptography is perfect: signatures, sealed texts, digests and public keys are random bytes that mean
/// something only to the world, and a secret is a term that records how it came about. The world knows which actor has
/// computed which secret, so that a test can ask whether an attacker has a key.
public final class SymbolicWorld {
    /// What a valid signature proves. All but `perfect` are for canaries.
    public enum Signatures: Sendable {
        case perfect
        /// That the holder of the key signed something at some time.
        case ofAnyText
        case nothing
    }

    /// What a signature is worth in this world.
    public var kind = Signatures.perfect
    private var random: SeededGenerator
    private var digests: [[UInt8]: Digest] = [:]
    private var signatures: [Signature: Signed] = [:]
    private var exponents: [AgreementPublicKey: UInt64] = [:]
    private var makers: [AgreementPublicKey: Int] = [:]
    private var terms: [Term: SymbolicCrypto.Secret] = [:]
    private var macs: [Term: CookieMAC] = [:]
    private var sealed: [[UInt8]: Sealed] = [:]
    private var known: [Int: Set<SymbolicCrypto.Secret>] = [:]
    private var lastID: UInt64 = 0

    private struct Signed: Equatable {
        var key: VerificationKey
        var message: [UInt8]
    }

    private struct Sealed {
        var secret: SymbolicCrypto.Secret
        var associated: Digest
        var plaintext: [UInt8]
    }

    private enum Term: Hashable {
        case agreement(UInt64, UInt64)
        /// With a public key that is nobody's.
        case unanswerable(UInt64, AgreementPublicKey)
        case derived([SymbolicCrypto.Secret], Digest, String)
        case mac(SymbolicCrypto.Secret, [UInt8])
    }

    public init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// Whether the actor has computed this secret.
    public func knows(_ actor: Int, _ secret: SymbolicCrypto.Secret) -> Bool { known[actor]?.contains(secret) ?? false }

    /// The private key of a public one, for an attacker who takes the machine that has it.
    public func stolen(_ key: AgreementPublicKey) -> SymbolicCrypto.AgreementKey? {
        exponents[key].map { SymbolicCrypto.AgreementKey(exponent: $0, publicKey: key) }
    }

    /// Who made an agreement key.
    public func maker(of key: AgreementPublicKey) -> Int? { makers[key] }

    /// Random bytes.
    public func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            withUnsafeBytes(of: random.next()) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// A random byte string of the kind that is wanted.
    public func fixed<Kind>() -> FixedBytes<Kind> {
        while true {
            if let value = FixedBytes<Kind>(bytes(Kind.length)) { return value }
        }
    }

    func digest(of bytes: [UInt8]) -> Digest { memo(&digests, bytes) }

    func sign(_ message: [UInt8], _ key: VerificationKey) -> Signature {
        let signature: Signature = fixed()
        signatures[signature] = Signed(key: key, message: message)
        return signature
    }

    func isValid(_ signature: Signature, _ message: [UInt8], _ key: VerificationKey) -> Bool {
        switch kind {
        case .perfect: signatures[signature] == Signed(key: key, message: message)
        case .ofAnyText: signatures[signature]?.key == key
        case .nothing: true
        }
    }

    func makeAgreementKey(_ actor: Int) -> SymbolicCrypto.AgreementKey {
        let key = SymbolicCrypto.AgreementKey(exponent: id(), publicKey: fixed())
        exponents[key.publicKey] = key.exponent
        makers[key.publicKey] = actor
        return key
    }

    func agree(
        _ key: SymbolicCrypto.AgreementKey, _ peer: AgreementPublicKey, _ actor: Int
    ) -> SymbolicCrypto.Secret {
        guard let other = exponents[peer] else { return secret(.unanswerable(key.exponent, peer), actor) }
        return secret(.agreement(min(key.exponent, other), max(key.exponent, other)), actor)
    }

    func makeSecret(_ actor: Int) -> SymbolicCrypto.Secret {
        let secret = SymbolicCrypto.Secret(id: id())
        known[actor, default: []].insert(secret)
        return secret
    }

    func derive(
        _ secrets: [SymbolicCrypto.Secret], _ salt: Digest, _ info: String, _ actor: Int
    ) -> SymbolicCrypto.Secret {
        secret(.derived(secrets, salt, info), actor)
    }

    func mac(_ bytes: [UInt8], _ secret: SymbolicCrypto.Secret) -> CookieMAC {
        memo(&macs, .mac(secret, bytes))
    }

    func seal(_ plaintext: [UInt8], _ associated: Digest, _ secret: SymbolicCrypto.Secret) -> [UInt8] {
        let ciphertext = bytes(plaintext.count + 16)
        sealed[ciphertext] = Sealed(secret: secret, associated: associated, plaintext: plaintext)
        return ciphertext
    }

    func open(_ ciphertext: [UInt8], _ associated: Digest, _ secret: SymbolicCrypto.Secret) -> [UInt8]? {
        guard let sealed = sealed[ciphertext], sealed.secret == secret, sealed.associated == associated else {
            return nil
        }
        return sealed.plaintext
    }

    private func secret(_ term: Term, _ actor: Int) -> SymbolicCrypto.Secret {
        let secret = terms[term] ?? SymbolicCrypto.Secret(id: id())
        terms[term] = secret
        known[actor, default: []].insert(secret)
        return secret
    }

    private func memo<Key, Kind>(_ table: inout [Key: FixedBytes<Kind>], _ key: Key) -> FixedBytes<Kind> {
        if let value = table[key] { return value }
        let value: FixedBytes<Kind> = fixed()
        table[key] = value
        return value
    }

    private func id() -> UInt64 {
        lastID += 1
        return lastID
    }
}
