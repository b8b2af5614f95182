import CCrypto
import ReflectorModel
import RelayWire

/// One network key and what is derived from it (WireFormat.md). Its memory is wiped when it is deallocated.
final class NetworkKey {
    let phase: UInt8
    /// Authenticates the handshake.
    let handshake: MACContext
    private let secret: UnsafeMutableRawBufferPointer

    init(phase: UInt8, key: [UInt8]) throws(PacketSealingError) {
        let secret = UnsafeMutableRawBufferPointer.allocate(byteCount: key.count, alignment: 8)
        secret.copyBytes(from: key)
        let made = Self.expand(secret, salt: [], info: Array("reflector handshake 1".utf8), length: 32) {
            MACContext(key: $0)
        }
        guard let handshake = made ?? nil else {
            Self.wipe(secret)
            throw .last(operation: "derive the handshake key of phase \(phase)")
        }
        self.phase = phase
        self.handshake = handshake
        self.secret = secret
    }

    deinit {
        handshake.free()
        Self.wipe(secret)
    }

    /// The two keys of a link: one for what the child sends, one for what the parent sends. Nil if libcrypto fails.
    func linkContexts(
        childNonce: HandshakeNonce, parentNonce: HandshakeNonce, child: NodeID, parent: NodeID
    ) -> (childToParent: MACContext, parentToChild: MACContext)? {
        let salt = Self.bytes(of: [childNonce.high, childNonce.low, parentNonce.high, parentNonce.low])
        let info = Array("reflector link 1".utf8) + Self.bytes(of: [child.rawValue, parent.rawValue])
        let made = Self.expand(secret, salt: salt, info: info, length: 64) {
            keys -> (childToParent: MACContext, parentToChild: MACContext)? in
            guard let down = MACContext(key: UnsafeRawBufferPointer(rebasing: keys[..<32])) else { return nil }
            guard let up = MACContext(key: UnsafeRawBufferPointer(rebasing: keys[32...])) else {
                down.free()
                return nil
            }
            return (childToParent: down, parentToChild: up)
        }
        return made ?? nil
    }

    /// The sealing key of an incarnation. Nil if libcrypto fails.
    func sealContext(
        cipher: OpaquePointer, stream: StreamName, source: NodeID, incarnation: Incarnation
    ) -> SealContext? {
        let salt = Self.bytes(of: [incarnation.high, incarnation.low])
        let info = Array("reflector seal 1".utf8) + Self.bytes(of: [source.rawValue]) + Array(stream.text.utf8)
        let made = Self.expand(secret, salt: salt, info: info, length: SealContext.keyLength) {
            SealContext(cipher: cipher, key: $0)
        }
        return made ?? nil
    }

    /// HKDF-SHA-256 into memory that is wiped after `use`. Nil if libcrypto fails.
    private static func expand<Result>(
        _ secret: UnsafeMutableRawBufferPointer, salt: [UInt8], info: [UInt8], length: Int,
        use: (UnsafeRawBufferPointer) -> Result
    ) -> Result? {
        withUnsafeTemporaryAllocation(byteCount: length, alignment: 8) { output in
            defer { OPENSSL_cleanse(output.baseAddress, output.count) }
            let done = reflector_hkdf_sha256(
                secret.bytePointer, secret.count, salt, salt.count, info, info.count, output.bytePointer,
                output.count)
            return done == 1 ? use(UnsafeRawBufferPointer(output)) : nil
        }
    }

    private static func bytes(of words: [UInt64]) -> [UInt8] {
        words.flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    }

    private static func wipe(_ secret: UnsafeMutableRawBufferPointer) {
        OPENSSL_cleanse(secret.baseAddress, secret.count)
        secret.deallocate()
    }
}
