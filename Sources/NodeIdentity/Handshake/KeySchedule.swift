import ReflectorModel

/// The transcripts that both ends hash, and the keys that follow from them and the two agreements. Handshake.md has the
/// formulas; a second implementation computed the test vectors from there.
///
/// Each transcript contains the one before it, so whoever signs or derives from a later one vouches for everything
/// earlier. Every digest begins with the name of its purpose.
public enum KeySchedule {
    /// Everything that both ends know when the child sends Open, except what Open encrypts.
    public static func openTranscript(
        nonce: Nonce, cookie: RoutabilityCookie, epochKey: AgreementPublicKey, childKey: AgreementPublicKey,
        _ crypto: some IdentityCrypto
    ) -> Digest {
        var writer = IdentityWriter()
        writer.write(nonce)
        writer.write(cookie.milliseconds, bytes: 8)
        writer.write(cookie.mac)
        writer.write(epochKey)
        writer.write(childKey)
        return crypto.digest(of: SignedText.bytes(context: "reflector transcript open 1", writer.bytes))
    }

    /// Adds what Open encrypts, in its encrypted form, and the parent's fresh key.
    public static func openedTranscript(
        after open: Digest, sealed: [UInt8], parentKey: AgreementPublicKey, _ crypto: some IdentityCrypto
    ) -> Digest {
        var writer = IdentityWriter()
        writer.write(open)
        writer.write(crypto.digest(of: sealed))
        writer.write(parentKey)
        return crypto.digest(of: SignedText.bytes(context: "reflector transcript opened 1", writer.bytes))
    }

    /// Adds what Opened encrypts, in its encrypted form: the whole handshake.
    public static func linkTranscript(after opened: Digest, sealed: [UInt8], _ crypto: some IdentityCrypto) -> Digest {
        let bytes = opened.bytes + crypto.digest(of: sealed).bytes
        return crypto.digest(of: SignedText.bytes(context: "reflector transcript link 1", bytes))
    }

    /// Which end signs. The two have different contexts, so that no signature can be reflected to its maker.
    public enum End: String, Sendable {
        case child = "reflector handshake child 1"
        case parent = "reflector handshake parent 1"
    }

    /// What an end signs: the transcript, its own certificate, whom it means to talk to, and its payload.
    public static func signedBytes(
        by end: End, transcript: Digest, certificate: NodeCertificate, intended: NodeID, payload: [UInt8],
        _ crypto: some IdentityCrypto
    ) -> [UInt8] {
        var writer = IdentityWriter()
        writer.write(transcript)
        writer.write(crypto.digest(of: certificate.encoded))
        writer.write(intended.rawValue, bytes: 8)
        writer.write(payload)
        return SignedText.bytes(context: end.rawValue, writer.bytes)
    }

    /// Encrypts what Open says about the child.
    public static func openKey<Crypto: IdentityCrypto>(
        _ first: Crypto.Secret, transcript: Digest, _ crypto: Crypto
    ) throws(HandshakeError) -> Crypto.Secret {
        try crypto.checked { crypto throws(IdentityCryptoError) in
            try crypto.derive(from: [first], salt: transcript, info: "reflector open key 1")
        }
    }

    /// Encrypts what Opened says about the parent.
    public static func openedKey<Crypto: IdentityCrypto>(
        _ first: Crypto.Secret, _ second: Crypto.Secret, transcript: Digest, _ crypto: Crypto
    ) throws(HandshakeError) -> Crypto.Secret {
        try crypto.checked { crypto throws(IdentityCryptoError) in
            try crypto.derive(from: [first, second], salt: transcript, info: "reflector opened key 1")
        }
    }

    /// Authenticates Refused.
    public static func refusalMAC<Crypto: IdentityCrypto>(
        of reason: HandshakeRefusal, nonce: Nonce, _ first: Crypto.Secret, transcript: Digest, _ crypto: Crypto
    ) throws(HandshakeError) -> CookieMAC {
        try crypto.checked { crypto throws(IdentityCryptoError) in
            let key = try crypto.derive(from: [first], salt: transcript, info: "reflector refused key 1")
            return try crypto.mac(of: nonce.bytes + [reason.rawValue], under: key)
        }
    }

    public static func linkSecrets<Crypto: IdentityCrypto>(
        _ first: Crypto.Secret, _ second: Crypto.Secret, transcript: Digest, _ crypto: Crypto
    ) throws(HandshakeError) -> LinkSecrets<Crypto.Secret> {
        func key(_ info: String) throws(HandshakeError) -> Crypto.Secret {
            try crypto.checked { crypto throws(IdentityCryptoError) in
                try crypto.derive(from: [first, second], salt: transcript, info: info)
            }
        }
        return LinkSecrets(
            childToParent: try key("reflector link child to parent 1"),
            parentToChild: try key("reflector link parent to child 1"),
            parentToChildSealing: try key("reflector link sealing parent to child 1"))
    }
}

extension IdentityCrypto {
    /// Runs a step of the handshake whose only failures are those of the cryptography.
    func checked<Value>(
        _ step: (Self) throws(IdentityCryptoError) -> Value
    ) throws(HandshakeError) -> Value {
        do throws(IdentityCryptoError) {
            return try step(self)
        } catch {
            throw .crypto(error)
        }
    }
}
