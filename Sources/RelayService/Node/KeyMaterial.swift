import PacketSealing
import RelayWire

/// Network keys that were checked before the node's thread gets them. That thread makes its own `PacketCrypto` from
/// them.
struct KeyMaterial: Sendable {
    private let keys: [(phase: UInt8, key: [UInt8])]

    /// Throws if libcrypto rejects a key.
    init(_ file: KeyFile) throws {
        keys = file.networkKeys.map { ($0.phase, $0.bytes) }
        _ = try LibcryptoPacketCrypto(networkKeys: keys)
    }

    /// Replaces the keys of `crypto` with these.
    func replaceKeys(of crypto: LibcryptoPacketCrypto) {
        do {
            try crypto.replaceNetworkKeys(keys)
        } catch {
            preconditionFailure("libcrypto refused keys that it took before: \(error)")
        }
    }

    func make() -> LibcryptoPacketCrypto {
        do {
            return try LibcryptoPacketCrypto(networkKeys: keys)
        } catch {
            preconditionFailure("libcrypto refused keys that it took before: \(error)")
        }
    }
}
