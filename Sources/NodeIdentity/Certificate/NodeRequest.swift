import ReflectorModel

/// What a node asks an operator to certify: its name and its public key. The signature proves that whoever asks holds the
/// private key, so that nobody gets a certificate for somebody else's key.
public struct NodeRequest: Hashable, Sendable {
    /// Host name relative to the zone, lower case.
    public let name: String
    public let publicKey: VerificationKey
    /// The node's own, over `signedBytes`.
    public let signature: Signature

    /// Nil if the name is not a host name in lower case. The signature is not verified: `isProven` does that.
    public init?(name: String, publicKey: VerificationKey, signature: Signature) {
        guard ReflectorName.isHost(name) else { return nil }
        self.name = name
        self.publicKey = publicKey
        self.signature = signature
    }

    /// Signs with the node's key. Nil if the name is not a host name in lower case.
    public init?<Crypto: IdentityCrypto>(
        name: String, signing key: Crypto.SigningKey, _ crypto: Crypto
    ) throws(IdentityCryptoError) {
        let publicKey = crypto.publicKey(of: key)
        let signature = try crypto.sign(Self.signedBytes(name: name, publicKey: publicKey), with: key)
        self.init(name: name, publicKey: publicKey, signature: signature)
    }

    /// Whether the holder of the private key made the request.
    public func isProven(_ crypto: some IdentityCrypto) -> Bool {
        crypto.isValid(signature, of: Self.signedBytes(name: name, publicKey: publicKey), by: publicKey)
    }

    private static func signedBytes(name: String, publicKey: VerificationKey) -> [UInt8] {
        SignedText.bytes(context: "reflector node request 1", publicKey.bytes + Array(name.utf8))
    }
}
