import CCrypto

/// Why a `LibcryptoPacketCrypto` could not be created, or could not replace its network keys.
public enum PacketSealingError: Error, Hashable, Sendable, CustomStringConvertible {
    case noNetworkKey
    case tooManyNetworkKeys(count: Int)
    case networkKeyLength(phase: UInt8, bytes: Int)
    /// Two network keys of one phase.
    case repeatedPhase(UInt8)
    /// libcrypto failed in `operation`: its error code (0 if it gave none) and its message.
    case libcrypto(operation: String, code: UInt, message: String)
    /// This libcrypto restarts an HMAC context only if it gets the key again.
    case contextNotReusable

    public var description: String {
        switch self {
        case .noNetworkKey: "no network key"
        case .tooManyNetworkKeys(let count):
            "\(count) network keys; at most \(LibcryptoPacketCrypto.networkKeysMax) are accepted at once"
        case .networkKeyLength(let phase, let bytes):
            "network key of phase \(phase) has \(bytes) bytes, not \(LibcryptoPacketCrypto.networkKeyLength)"
        case .repeatedPhase(let phase): "two network keys of phase \(phase)"
        case .libcrypto(let operation, let code, let message):
            "libcrypto: \(operation): \(message) (error \(String(code, radix: 16)))"
        case .contextNotReusable:
            "this libcrypto's HMAC contexts cannot be reused; another version of OpenSSL 3 is needed"
        }
    }

    /// The oldest error in libcrypto's queue for this thread. Empties the queue.
    static func last(operation: String) -> PacketSealingError {
        let code = ERR_get_error()
        ERR_clear_error()
        guard code != 0 else { return .libcrypto(operation: operation, code: 0, message: "failed without a reason") }
        let message = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            ERR_error_string_n(code, text.baseAddress, text.count)
            return text.baseAddress.map { String(cString: $0) } ?? ""
        }
        return .libcrypto(operation: operation, code: UInt(code), message: message)
    }
}
