import PacketSealing
import RelayWire

/// Key material: the network keys, checked before the node's thread starts. That thread makes its own `PacketCrypto`
/// from them.
struct CryptoKeyMaterial: Sendable {
    private let keys: [(phase: UInt8, key: [UInt8])]

    /// Throws if libcrypto refuses a key.
    init(_ file: KeyFile) throws {
        keys = file.networkKeys.map { ($0.phase, $0.bytes) }
        _ = try LibcryptoPacketCrypto(networkKeys: keys)
    }

    /// Puts these keys in the place of those that `crypto` has.
    func replaceKeys(of crypto: LibcryptoPacketCrypto) {
        do {
            try crypto.replaceNetworkKeys(keys)
        } catch {
            preconditionFailure("keys that libcrypto took a moment ago: \(error)")
        }
    }

    func make() -> LibcryptoPacketCrypto {
        do {
            return try LibcryptoPacketCrypto(networkKeys: keys)
        } catch {
            preconditionFailure("keys that libcrypto took a moment ago: \(error)")
        }
    }
}
