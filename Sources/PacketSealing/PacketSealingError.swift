import CCrypto

/// Why a `LibcryptoPacketCrypto` could not be created.
public enum PacketSealingError: Error, Hashable, Sendable, CustomStringConvertible {
    /// libcrypto failed in `operation`: its error code (0 if it gave none) and its message.
    case libcrypto(operation: String, code: UInt, message: String)
    /// This libcrypto restarts an HMAC context only if it gets the key again.
    case contextNotReusable

    public var description: String {
        switch self {
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
