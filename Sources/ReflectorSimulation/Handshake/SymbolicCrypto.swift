import NodeIdentity
import ReflectorModel

/// The cryptography of one actor in a symbolic world.
public struct SymbolicCrypto: IdentityCrypto {
    /// Whoever has it can sign for this public key.
    public struct SigningKey: Sendable {
        public let publicKey: VerificationKey
    }

    /// A private key, which only its maker has.
    public struct AgreementKey: Sendable {
        let exponent: UInt64
        public let publicKey: AgreementPublicKey
    }

    /// A term of the world; equal secrets came about in the same way.
    public struct Secret: Hashable, Sendable {
        let id: UInt64
    }

    public let world: SymbolicWorld
    /// Number of the node, or of the attacker.
    public let actor: Int

    public init(world: SymbolicWorld, actor: Int) {
        self.world = world
        self.actor = actor
    }

    /// A new key for signatures.
    public func makeSigningKey() -> SigningKey { SigningKey(publicKey: world.fixed()) }

    public func digest(of bytes: [UInt8]) -> Digest { world.digest(of: bytes) }
    public func publicKey(of key: SigningKey) -> VerificationKey { key.publicKey }
    public func sign(_ message: [UInt8], with key: SigningKey) throws(IdentityCryptoError) -> Signature {
        world.sign(message, key.publicKey)
    }
    public func isValid(_ signature: Signature, of message: [UInt8], by key: VerificationKey) -> Bool {
        world.isValid(signature, message, key)
    }
    public func makeAgreementKey() throws(IdentityCryptoError) -> AgreementKey { world.makeAgreementKey(actor) }
    public func publicKey(of key: AgreementKey) -> AgreementPublicKey { key.publicKey }
    public func agree(_ key: AgreementKey, with peer: AgreementPublicKey) throws(IdentityCryptoError) -> Secret {
        guard peer.bytes.contains(where: { $0 != 0 }) else { throw .lowOrderKey }
        return world.agree(key, peer, actor)
    }
    public func makeSecret() throws(IdentityCryptoError) -> Secret { world.makeSecret(actor) }
    public func derive(from secrets: [Secret], salt: Digest, info: String) throws(IdentityCryptoError) -> Secret {
        world.derive(secrets, salt, info, actor)
    }
    public func mac(of bytes: [UInt8], under secret: Secret) throws(IdentityCryptoError) -> CookieMAC {
        world.mac(bytes, secret)
    }
    public func seal(_ plaintext: [UInt8], associated: Digest, under secret: Secret) throws(IdentityCryptoError)
        -> [UInt8]
    {
        world.seal(plaintext, associated, secret)
    }
    public func open(_ sealed: [UInt8], associated: Digest, under secret: Secret) -> [UInt8]? {
        world.open(sealed, associated, secret)
    }
}
