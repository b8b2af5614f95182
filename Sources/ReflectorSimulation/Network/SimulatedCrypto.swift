import ReflectorModel
import RelayWire

/// `PacketCrypto` without cryptography: keyed hashes with the same semantics, and random bytes from a seed.
/// Verification fails in the same cases as with libcrypto: a wrong network key, a changed byte, another stream, source
/// or incarnation.
public final class SimulatedCrypto: PacketCrypto {
    public let keyPhases: [UInt8]
    /// The fault of `Canary.acceptForgeries`: `open` accepts every packet, like a relay that does not verify seals.
    public var acceptsForgeries = false

    private let networkKeys: [UInt64]
    private let cookieSecret: UInt64
    private var random: SeededGenerator
    private var keys: [UInt64] = []
    private var free: [Int32] = []

    /// - Parameters:
    ///   - networkKeys: one for each phase 0, 1, …; nodes send with the first.
    ///   - seed: all secrets are derived from it.
    public init(networkKeys: [UInt64], seed: UInt64) {
        self.networkKeys = networkKeys
        keyPhases = networkKeys.indices.map { UInt8($0) }
        random = SeededGenerator(seed: seed)
        cookieSecret = random.next()
    }

    /// The number of keys that were made and not yet released.
    public var keyCount: Int { keys.count - free.count }

    public func random(into buffer: UnsafeMutableRawBufferPointer) {
        for offset in buffer.indices { buffer[offset] = UInt8(truncatingIfNeeded: random.next()) }
    }

    public func handshakeMAC(
        phase: UInt8, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard Int(phase) < networkKeys.count else { return false }
        var hash = KeyedHash(key: networkKeys[Int(phase)])
        hash.add(bytes)
        hash.write(into: tag)
        return true
    }

    public func cookieMAC(secret: UInt64, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        var hash = KeyedHash(key: cookieSecret ^ secret)
        hash.add(bytes)
        hash.write(into: tag)
    }

    public func makeLinkKeys(
        phase: UInt8, childNonce: HandshakeNonce, parentNonce: HandshakeNonce, child: NodeID, parent: NodeID
    ) -> LinkKeys? {
        guard Int(phase) < networkKeys.count else { return nil }
        var hash = KeyedHash(key: networkKeys[Int(phase)])
        for word in [
            childNonce.high, childNonce.low, parentNonce.high, parentNonce.low, child.rawValue, parent.rawValue,
        ] {
            hash.add(word)
        }
        return LinkKeys(
            childToParent: MACKey(index: insert(hash.value)), parentToChild: MACKey(index: insert(~hash.value)))
    }

    public func release(_ keys: LinkKeys) {
        free.append(keys.childToParent.index)
        free.append(keys.parentToChild.index)
    }

    public func mac(_ key: MACKey, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        var hash = KeyedHash(key: keys[Int(key.index)])
        hash.add(bytes)
        hash.write(into: tag)
    }

    public func makeSealKey(phase: UInt8, stream: StreamName, source: NodeID, incarnation: Incarnation) -> SealKey? {
        guard Int(phase) < networkKeys.count else { return nil }
        let tag = IncarnationTag(stream: stream, source: source, incarnation: incarnation)
        return SealKey(index: insert(FixedHash.combine(networkKeys[Int(phase)], tag.rawValue)))
    }

    public func release(_ key: SealKey) { free.append(key.index) }

    public func seal(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer,
        payload: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer
    ) {
        let secret = keys[Int(key.index)] ^ FixedHash.mix(sequence.rawValue)
        Self.apply(secret, UnsafeRawBufferPointer(payload), into: payload)
        Self.authenticate(secret, header, UnsafeRawBufferPointer(payload), into: tag)
    }

    public func open(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer, ciphertext: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let secret = keys[Int(key.index)] ^ FixedHash.mix(sequence.rawValue)
        var own = (UInt64(0), UInt64(0))
        let isRight = withUnsafeMutableBytes(of: &own) { target in
            Self.authenticate(secret, header, ciphertext, into: target)
            return macsAreEqual(UnsafeRawBufferPointer(target), tag)
        }
        guard isRight || acceptsForgeries else { return false }
        Self.apply(secret, ciphertext, into: plaintext)
        return true
    }

    private func insert(_ key: UInt64) -> Int32 {
        if let index = free.popLast() {
            keys[Int(index)] = key
            return index
        }
        keys.append(key)
        return Int32(keys.count - 1)
    }

    private static func authenticate(
        _ secret: UInt64, _ header: UnsafeRawBufferPointer, _ ciphertext: UnsafeRawBufferPointer,
        into tag: UnsafeMutableRawBufferPointer
    ) {
        var hash = KeyedHash(key: secret)
        hash.add(header)
        hash.add(ciphertext)
        hash.write(into: tag)
    }

    /// XORs with a keystream; the same call decrypts.
    private static func apply(
        _ secret: UInt64, _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) {
        var stream = SeededGenerator(seed: secret)
        var offset = 0
        while offset + 8 <= source.count {
            let word = source.loadUnaligned(fromByteOffset: offset, as: UInt64.self) ^ stream.next()
            target.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        var rest = stream.next()
        while offset < source.count {
            target[offset] = source[offset] ^ UInt8(truncatingIfNeeded: rest)
            rest >>= 8
            offset += 1
        }
    }
}
