import CCrypto
import IdentityKeys
import NodeIdentity
import ReflectorModel
import RelayWire

/// The cryptography of open links and of streams, with OpenSSL 3's libcrypto: AES-128-GCM, HMAC-SHA-256, AES-256-GCM for
/// the streams' keys, and its random generator. Keys are set up once in libcrypto's contexts. Sealing and opening
/// allocate nothing; a MAC allocates only what libcrypto's HMAC needs to restart. Belongs to one event loop.
public final class LibcryptoPacketCrypto: PacketCrypto {
    /// How often keys could not be created because a table was full.
    public private(set) var tableFullCount: UInt64 = 0
    /// How often keys could not be created because libcrypto failed.
    public private(set) var failureCount: UInt64 = 0

    private let cipher: OpaquePointer
    private var macKeys: KeyTable<MACContext>
    private var wrapKeys: KeyTable<LibcryptoIdentityCrypto.Secret>
    private var sealKeys: KeyTable<SealContext>

    /// - Parameters:
    ///   - linksMax: maximum number of links that have keys at one time.
    ///   - incarnationsMax: maximum number of incarnations that have keys at one time.
    public init(linksMax: Int = 32_768, incarnationsMax: Int = 16_384) throws(PacketSealingError) {
        guard let cipher = EVP_CIPHER_fetch(nil, "AES-128-GCM", nil) else {
            throw .last(operation: "fetch AES-128-GCM")
        }
        self.cipher = cipher
        let linksMax = min(linksMax, Int(Int32.max) / 2)
        macKeys = KeyTable(countMax: 2 * linksMax)
        wrapKeys = KeyTable(countMax: linksMax)
        sealKeys = KeyTable(countMax: incarnationsMax)
        try MACContext.checkReuse()
    }

    deinit {
        macKeys.all.forEach { $0.free() }
        sealKeys.all.forEach { $0.free() }
        EVP_CIPHER_free(cipher)
    }

    public func random(into buffer: UnsafeMutableRawBufferPointer) {
        guard !buffer.isEmpty else { return }
        precondition(RAND_bytes(buffer.bytePointer, Int32(buffer.count)) == 1, "libcrypto has no random bytes")
    }

    // MARK: Links

    /// Sets up the keys that a handshake has agreed on. Nil if the table is full or libcrypto fails; both are counted.
    public func install(_ secrets: LinkSecrets<LibcryptoIdentityCrypto.Secret>) -> LinkKeys? {
        guard macKeys.hasRoom(for: 2), wrapKeys.hasRoom(for: 1) else {
            tableFullCount += 1
            return nil
        }
        guard let down = secrets.parentToChild.withBytes({ MACContext(key: $0) }) else { return countFailure() }
        guard let up = secrets.childToParent.withBytes({ MACContext(key: $0) }) else {
            down.free()
            return countFailure()
        }
        return LinkKeys(
            childToParent: MACKey(index: macKeys.insert(up)), parentToChild: MACKey(index: macKeys.insert(down)),
            wrapping: WrapKey(index: wrapKeys.insert(secrets.parentToChildSealing)))
    }

    public func release(_ keys: LinkKeys) {
        macKeys.remove(keys.childToParent.index)?.free()
        macKeys.remove(keys.parentToChild.index)?.free()
        _ = wrapKeys.remove(keys.wrapping.index)
    }

    public func mac(_ key: MACKey, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        guard let context = macKeys[key.index] else { preconditionFailure("MAC with a key that was released") }
        context.mac(of: bytes, into: tag)
    }

    // MARK: Keys of streams

    /// Also nil if libcrypto fails; both are counted.
    public func makeSealKey() -> SealKey? {
        withUnsafeTemporaryAllocation(byteCount: SealContext.keyLength, alignment: 8) { bytes in
            defer { OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
            random(into: bytes)
            return makeSealKey(UnsafeRawBufferPointer(bytes))
        }
    }

    /// Also nil if libcrypto fails; both are counted.
    public func deriveTwinKey(_ key: SealKey) -> SealKey? {
        guard let context = sealKeys[key.index] else { preconditionFailure("deriving from a key that was released") }
        guard let mac = MACContext(key: context.key) else { return countFailure() }
        defer { mac.free() }
        return withUnsafeTemporaryAllocation(byteCount: SealContext.keyLength, alignment: 8) { bytes in
            defer { OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
            let isDone = Array("reflector twin key 1".utf8).withUnsafeBytes { mac.tryMAC(of: $0, into: bytes) }
            return isDone ? makeSealKey(UnsafeRawBufferPointer(bytes), isOrdered: false) : countFailure()
        }
    }

    /// The key of these 16 bytes, which the caller wipes. Nil if the table is full or libcrypto fails; both are counted.
    func makeSealKey(_ bytes: UnsafeRawBufferPointer, isOrdered: Bool = true) -> SealKey? {
        guard sealKeys.hasRoom(for: 1) else {
            tableFullCount += 1
            return nil
        }
        guard let context = SealContext(cipher: cipher, key: bytes, isOrdered: isOrdered) else { return countFailure() }
        return SealKey(index: sealKeys.insert(context))
    }

    public func release(_ key: SealKey) { sealKeys.remove(key.index)?.free() }

    /// Traps if libcrypto fails: otherwise the key would be sent in the clear.
    public func wrap(
        _ key: SealKey, of tag: IncarnationTag, under wrapping: WrapKey, nonce: UInt64
    ) -> WrappedKey {
        guard let context = sealKeys[key.index], let secret = wrapKeys[wrapping.index] else {
            preconditionFailure("wrapping with a key that was released")
        }
        var wrapped = WrappedKey(nonce: nonce)
        let isDone = wrapped.withMutableBytes { output in
            AuthenticatedEncryption.seal(
                context.key, nonce: Self.nonce(nonce), associated: Self.bytes(of: tag.rawValue), key: secret.memory,
                into: output)
        }
        precondition(isDone, "LibcryptoPacketCrypto: libcrypto failed")
        return wrapped
    }

    public func unwrap(_ wrapped: WrappedKey, of tag: IncarnationTag, under wrapping: WrapKey) -> SealKey? {
        guard let secret = wrapKeys[wrapping.index] else { preconditionFailure("unwrapping with a released key") }
        return withUnsafeTemporaryAllocation(byteCount: SealContext.keyLength, alignment: 8) { bytes in
            defer { OPENSSL_cleanse(bytes.baseAddress, bytes.count) }
            let isDone = wrapped.withBytes { sealed in
                AuthenticatedEncryption.open(
                    sealed, nonce: Self.nonce(wrapped.nonce), associated: Self.bytes(of: tag.rawValue),
                    key: secret.memory, into: bytes)
            }
            return isDone ? makeSealKey(UnsafeRawBufferPointer(bytes)) : nil
        }
    }

    public func areEqual(_ a: SealKey, _ b: SealKey) -> Bool {
        guard let a = sealKeys[a.index], let b = sealKeys[b.index] else { return false }
        return macsAreEqual(a.key, b.key)
    }

    private static func nonce(_ number: UInt64) -> [UInt8] { [0, 0, 0, 0] + bytes(of: number) }

    private static func bytes(of word: UInt64) -> [UInt8] { withUnsafeBytes(of: word.bigEndian) { Array($0) } }

    // MARK: Packets

    /// The sequence numbers of a key that is not derived must increase from call to call: a reused nonce would reveal the
    /// authentication key.
    public func seal(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer,
        payload: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer
    ) {
        guard var context = sealKeys[key.index] else { preconditionFailure("sealing with a key that was released") }
        context.seal(sequence: sequence, header: header, payload: payload, tag: tag)
        sealKeys[key.index] = context
    }

    public func open(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer, ciphertext: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let context = sealKeys[key.index] else { preconditionFailure("opening with a key that was released") }
        return context.open(sequence: sequence, header: header, ciphertext: ciphertext, tag: tag, into: plaintext)
    }

    private func countFailure<Keys>() -> Keys? {
        failureCount += 1
        ERR_clear_error()
        return nil
    }
}
