import PacketSealing
import RelayWire

/// Signs requests and replies of overrides: HMAC-SHA-256, truncated to 128 bits, under the operator's key where there
/// is one, else under the network key. The prefix keeps these apart from the datagrams under the same key, all of
/// which begin with another byte.
public struct OverrideSigner: Sendable {
    /// Secrets of 32 bytes with their phases; the first signs, any verifies.
    private let keys: [(phase: UInt8, key: [UInt8])]
    private static let request = "reflector override request 1\n"
    private static let reply = "reflector override reply 1\n"

    /// Throws if a key is not 32 bytes long, or there is none.
    public init(keys: [(phase: UInt8, key: [UInt8])]) throws {
        self.keys = keys
        _ = try LibcryptoPacketCrypto(networkKeys: keys)
    }

    /// `PHASE:HEX`, for a header.
    public func signature(ofRequest body: [UInt8]) -> String { sign(Self.request, body) }
    public func signature(ofReply body: [UInt8]) -> String { sign(Self.reply, body) }

    public func isValid(_ signature: String, ofRequest body: [UInt8]) -> Bool { verify(signature, Self.request, body) }
    public func isValid(_ signature: String, ofReply body: [UInt8]) -> Bool { verify(signature, Self.reply, body) }

    private func sign(_ purpose: String, _ body: [UInt8]) -> String {
        guard let phase = keys.first?.phase, let mac = mac(phase, purpose, body) else { return "" }
        return "\(phase):" + mac.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private func verify(_ signature: String, _ purpose: String, _ body: [UInt8]) -> Bool {
        let parts = signature.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let phase = UInt8(parts[0]), let given = Self.bytes(hex: parts[1]),
            let mac = mac(phase, purpose, body)
        else { return false }
        return mac.withUnsafeBytes { own in given.withUnsafeBytes { macsAreEqual(own, $0) } }
    }

    private func mac(_ phase: UInt8, _ purpose: String, _ body: [UInt8]) -> [UInt8]? {
        guard let crypto = try? LibcryptoPacketCrypto(networkKeys: keys) else { return nil }
        let message = Array(purpose.utf8) + body
        var tag = [UInt8](repeating: 0, count: WireLimits.macLength)
        let isDone = message.withUnsafeBytes { bytes in
            tag.withUnsafeMutableBytes { crypto.handshakeMAC(phase: phase, of: bytes, into: $0) }
        }
        return isDone ? tag : nil
    }

    private static func bytes(hex: Substring) -> [UInt8]? {
        let digits = hex.compactMap(\.hexDigitValue)
        guard digits.count == hex.utf8.count, digits.count == 2 * WireLimits.macLength else { return nil }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }
}
