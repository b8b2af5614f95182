import NodeIdentity
import ReflectorModel
import RelayCore
import RelayWire

/// `PacketCrypto` without cryptography: keyed hashes with the same semantics, and random bytes from a seed.
/// Verification fails in the same cases as with libcrypto: another key, a changed byte, another sequence number.
public final class SimulatedCrypto: PacketCrypto {
    /// The fault of `Canary.acceptForgeries`: `open` accepts every packet, like a relay that does not verify seals.
    public var acceptsForgeries = false
    /// Records what is sealed.
    var ledger: SealLedger?

    private let operatorKey: UInt64
    private let seed: UInt64
    private var random: SeededGenerator
    private var keys: [UInt64] = []
    private var free: [Int32] = []

    /// - Parameters:
    ///   - operatorKey: the key of the operator who signs the certificates of the network.
    ///   - seed: all secrets are derived from it.
    public init(operatorKey: UInt64, seed: UInt64) {
        self.operatorKey = operatorKey
        self.seed = seed
        random = SeededGenerator(seed: seed)
    }

    /// The handshakes of a node with a certificate of the operator.
    public func handshakes(
        for configuration: RelayConfiguration, at now: MonotonicInstant = .zero
    ) -> NodeHandshakes<SimulatedIdentityCrypto> {
        handshakes(SimulatedIdentity(configuration, operatorKey: operatorKey), at: now)
    }

    /// The handshakes of a node with this identity.
    public func handshakes(
        _ identity: SimulatedIdentity, at now: MonotonicInstant = .zero
    ) -> NodeHandshakes<SimulatedIdentityCrypto> {
        let crypto = SimulatedIdentityCrypto(seed: ~seed)
        let seconds = SimulatedIdentity.seconds(at: now)
        return NodeHandshakes(
            crypto, credential: identity.credential(crypto), trust: identity.trust, seconds: seconds, at: now
        ) { [unowned self] in install($0) }
    }

    /// Sets up the keys that a handshake has agreed on.
    public func install(_ secrets: LinkSecrets<UInt64>) -> LinkKeys {
        LinkKeys(
            childToParent: MACKey(index: insert(secrets.childToParent)),
            parentToChild: MACKey(index: insert(secrets.parentToChild)),
            wrapping: WrapKey(index: insert(secrets.parentToChildSealing)))
    }

    /// The number of keys that were made and not yet released.
    public var keyCount: Int { keys.count - free.count }

    public func random(into buffer: UnsafeMutableRawBufferPointer) {
        for offset in buffer.indices { buffer[offset] = UInt8(truncatingIfNeeded: random.next()) }
    }

    public func release(_ keys: LinkKeys) {
        free.append(keys.childToParent.index)
        free.append(keys.parentToChild.index)
        free.append(keys.wrapping.index)
    }

    public func mac(_ key: MACKey, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        var hash = KeyedHash(key: keys[Int(key.index)])
        hash.add(bytes)
        hash.write(into: tag)
    }

    // MARK: Keys of streams

    public func makeSealKey() -> SealKey? { SealKey(index: insert(random.next())) }

    public func deriveTwinKey(_ key: SealKey) -> SealKey? {
        SealKey(index: insert(FixedHash.combine(keys[Int(key.index)], 0x7717)))
    }

    public func release(_ key: SealKey) { free.append(key.index) }

    public func wrap(_ key: SealKey, of tag: IncarnationTag, under wrapping: WrapKey, nonce: UInt64) -> WrappedKey {
        let pad = FixedHash.combine(keys[Int(wrapping.index)], nonce)
        let secret = keys[Int(key.index)] ^ pad
        var wrapped = WrappedKey(nonce: nonce)
        wrapped.withMutableBytes { bytes in
            bytes.storeBytes(of: secret, as: UInt64.self)
            bytes.storeBytes(of: Self.proof(of: secret, tag, pad), toByteOffset: 8, as: UInt64.self)
        }
        return wrapped
    }

    public func unwrap(_ wrapped: WrappedKey, of tag: IncarnationTag, under wrapping: WrapKey) -> SealKey? {
        let pad = FixedHash.combine(keys[Int(wrapping.index)], wrapped.nonce)
        let (secret, proof) = wrapped.withBytes {
            ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self))
        }
        guard proof == Self.proof(of: secret, tag, pad) else { return nil }
        return SealKey(index: insert(secret ^ pad))
    }

    private static func proof(of secret: UInt64, _ tag: IncarnationTag, _ pad: UInt64) -> UInt64 {
        FixedHash.combine(FixedHash.combine(secret, tag.rawValue), ~pad)
    }

    public func areEqual(_ a: SealKey, _ b: SealKey) -> Bool { keys[Int(a.index)] == keys[Int(b.index)] }

    // MARK: Packets

    public func seal(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer,
        payload: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer
    ) {
        ledger?.note(key: keys[Int(key.index)], sequence.rawValue, header, UnsafeRawBufferPointer(payload))
        let secret = keys[Int(key.index)] ^ FixedHash.mix(sequence.rawValue)
        Keystream.apply(secret, UnsafeRawBufferPointer(payload), into: payload)
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
        Keystream.apply(secret, ciphertext, into: plaintext)
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
}
