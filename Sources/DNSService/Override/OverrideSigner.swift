import PacketSealing
import RelayWire

/// A key of `OverrideSigner` and its kin, and the number by which signatures name it.
public typealias PhasedKey = (phase: UInt8, key: [UInt8])

/// Signs requests for overrides with the operator's Ed25519 secret: `PHASE:HEX`, for a header.
public struct OverrideSigner: Sendable {
    private let phase: UInt8
    private let seed: [UInt8]

    /// Nil if the secret is no Ed25519 seed of 32 bytes.
    public init?(secret: PhasedKey) {
        guard Ed25519.publicKey(seed: secret.key) != nil else { return nil }
        phase = secret.phase
        seed = secret.key
    }

    /// Of the body of a request.
    public func signature(of body: [UInt8]) -> String {
        guard let bytes = Ed25519.sign(SignedText.request(body), seed: seed) else { return "" }
        return SignatureText.text(phase, bytes)
    }
}

/// Verifies requests for overrides by the operators' public keys. A name server has nothing that could sign one.
public struct OverrideVerifier: Sendable {
    private let keys: [PhasedKey]

    /// - Parameter keys: public keys with their phases; none takes nothing.
    public init(keys: [PhasedKey]) { self.keys = keys }

    public var isEmpty: Bool { keys.isEmpty }

    /// The phase of the key by which the body was signed; nil if it was by none of ours.
    public func signer(of body: [UInt8], _ signature: String) -> UInt8? {
        guard let (phase, bytes) = SignatureText.parse(signature, length: Ed25519.signatureLength) else { return nil }
        let message = SignedText.request(body)
        return keys.contains {
            $0.phase == phase && Ed25519.isValid(bytes, of: message, publicKey: $0.key)
        } ? phase : nil
    }
}

/// Authenticates what name servers reply, by the network key: HMAC-SHA-256, truncated to 128 bits. The prefix keeps it
/// apart from the datagrams under the same key, all of which begin with another byte.
public struct ReplyAuthenticator: Sendable {
    private let keys: [PhasedKey]

    /// Throws if a key is not 32 bytes long, or there is none. The first one signs, any verifies.
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

/// What is signed: the purpose before the body, so that a signature is of no use for anything else.
private enum SignedText {
    static func request(_ body: [UInt8]) -> [UInt8] { Array("reflector override request 2\n".utf8) + body }
    static func reply(_ body: [UInt8]) -> [UInt8] { Array("reflector override reply 2\n".utf8) + body }
}

/// `PHASE:HEX`.
private enum SignatureText {
    static func text(_ phase: UInt8, _ bytes: [UInt8]) -> String {
        "\(phase):" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// Nil for text of another form, or a signature of another length.
    static func parse(_ text: String, length: Int) -> (phase: UInt8, bytes: [UInt8])? {
        guard text.utf8.count <= 4 + 2 * length else { return nil }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let phase = UInt8(parts[0]) else { return nil }
        let digits = parts[1].compactMap(\.hexDigitValue)
        guard digits.count == parts[1].utf8.count, digits.count == 2 * length else { return nil }
        return (phase, stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) })
    }
}
