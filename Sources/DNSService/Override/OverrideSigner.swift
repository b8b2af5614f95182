import PacketSealing
import RelayWire

/// A key of `OverrideSigner` and similar types, with the number that identifies it in signatures.
public typealias PhasedKey = (phase: UInt8, key: [UInt8])

/// Signs requests for overrides with the operator's Ed25519 secret. A signature is sent in a header, as `PHASE:HEX`.
public struct OverrideSigner: Sendable {
    private let phase: UInt8
    private let seed: [UInt8]

    /// Nil if the secret is not an Ed25519 seed of 32 bytes.
    public init?(secret: PhasedKey) {
        guard Ed25519.publicKey(seed: secret.key) != nil else { return nil }
        phase = secret.phase
        seed = secret.key
    }

    /// The signature of a request body.
    public func signature(of body: [UInt8]) -> String {
        guard let bytes = Ed25519.sign(SignedText.request(body), seed: seed) else { return "" }
        return SignatureText.text(phase, bytes)
    }
}

/// Verifies requests for overrides with the operators' public keys. A name server has no key that could sign one.
public struct OverrideVerifier: Sendable {
    private let keys: [PhasedKey]

    /// - Parameter keys: public keys with their phases; without keys, every request is refused.
    public init(keys: [PhasedKey]) { self.keys = keys }

    public var isEmpty: Bool { keys.isEmpty }

    /// The phase of the key that signed the body; nil if none of our keys did.
    public func signer(of body: [UInt8], _ signature: String) -> UInt8? {
        guard let (phase, bytes) = SignatureText.parse(signature, length: Ed25519.signatureLength) else { return nil }
        let message = SignedText.request(body)
        return keys.contains {
            $0.phase == phase && Ed25519.isValid(bytes, of: message, publicKey: $0.key)
        } ? phase : nil
    }
}

/// Authenticates the replies of name servers with the network key: HMAC-SHA-256, truncated to 128 bits. The
/// authenticated text has a prefix (`SignedText`), so that its MAC is valid for no datagram, although datagrams use the
/// same key: every datagram begins with a different byte.
public struct ReplyAuthenticator: Sendable {
    private let keys: [PhasedKey]

    /// Throws if `LibcryptoPacketCrypto` refuses the keys, for example because there is none or one is not 32 bytes
    /// long. The first key signs, and all keys verify.
    public init(networkKeys: [PhasedKey]) throws {
        keys = networkKeys
        _ = try LibcryptoPacketCrypto(networkKeys: keys)
    }

    /// `PHASE:HEX`, for a header.
    public func signature(of body: [UInt8]) -> String {
        guard let phase = keys.first?.phase, let mac = mac(phase, body) else { return "" }
        return SignatureText.text(phase, mac)
    }

    public func isValid(_ signature: String, of body: [UInt8]) -> Bool {
        guard let (phase, given) = SignatureText.parse(signature, length: WireLimits.macLength),
            let mac = mac(phase, body)
        else { return false }
        return mac.withUnsafeBytes { own in given.withUnsafeBytes { macsAreEqual(own, $0) } }
    }

    private func mac(_ phase: UInt8, _ body: [UInt8]) -> [UInt8]? {
        guard let crypto = try? LibcryptoPacketCrypto(networkKeys: keys) else { return nil }
        let message = SignedText.reply(body)
        var tag = [UInt8](repeating: 0, count: WireLimits.macLength)
        let isDone = message.withUnsafeBytes { bytes in
            tag.withUnsafeMutableBytes { crypto.handshakeMAC(phase: phase, of: bytes, into: $0) }
        }
        return isDone ? tag : nil
    }
}

/// The signed text: the purpose, then the body, so that a signature is invalid for any other purpose.
private enum SignedText {
    static func request(_ body: [UInt8]) -> [UInt8] { Array("reflector override request 2\n".utf8) + body }
    static func reply(_ body: [UInt8]) -> [UInt8] { Array("reflector override reply 2\n".utf8) + body }
}

/// `PHASE:HEX`.
private enum SignatureText {
    static func text(_ phase: UInt8, _ bytes: [UInt8]) -> String {
        "\(phase):" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil for text in another format, and for a signature of another length.
    static func parse(_ text: String, length: Int) -> (phase: UInt8, bytes: [UInt8])? {
        guard text.utf8.count <= 4 + 2 * length else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let phase = UInt8(parts[0]) else { return nil }
        let digits = parts[1].compactMap(\.hexDigitValue)
        guard digits.count == parts[1].utf8.count, digits.count == 2 * length else { return nil }
        return (phase, stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }
}
