import CCrypto
import ReflectorModel
import RelayWire

/// The cryptography of the protocol, with OpenSSL 3's libcrypto: AES-128-GCM, HMAC-SHA-256, HKDF-SHA-256 and its random
/// generator. Keys are set up once in libcrypto's contexts. Sealing and opening allocate nothing; a MAC allocates only
/// what libcrypto's HMAC needs to restart. Belongs to one event loop.
public final class LibcryptoPacketCrypto: PacketCrypto {
    /// Length in bytes of a network key.
    public static let networkKeyLength = 32
    /// Maximum number of network keys accepted at once: the old and the new one during a key rollover.
    public static let networkKeysMax = 2

    public private(set) var keyPhases: [UInt8]
    /// How often keys could not be created because a table was full.
    public private(set) var tableFullCount: UInt64 = 0
    /// How often keys could not be created because libcrypto failed.
    public private(set) var failureCount: UInt64 = 0

    private var networkKeys: [NetworkKey]
    private let cipher: OpaquePointer
    private var macKeys: KeyTable<MACContext>
    private var sealKeys: KeyTable<SealContext>
    private var cookies = CookieSecrets()

    /// - Parameters:
    ///   - networkKeys: one or two keys of 32 bytes with their phases; the first is used for sending.
    ///   - linksMax: maximum number of links that have keys at one time.
    ///   - incarnationsMax: maximum number of incarnations that have keys at one time.
    public init(
        networkKeys: [(phase: UInt8, key: [UInt8])], linksMax: Int = 32_768, incarnationsMax: Int = 16_384
    ) throws(PacketSealingError) {
        let keys = try Self.checked(networkKeys)
        guard let cipher = EVP_CIPHER_fetch(nil, "AES-128-GCM", nil) else {
            throw .last(operation: "fetch AES-128-GCM")
        }
        self.networkKeys = keys
        self.cipher = cipher
        keyPhases = networkKeys.map(\.phase)
        macKeys = KeyTable(countMax: 2 * min(linksMax, Int(Int32.max) / 2))
        sealKeys = KeyTable(countMax: incarnationsMax)
    }

    /// Replaces the network keys. Keys derived from the previous ones stay valid until they are released, so links and
    /// incarnations continue. Throws, and changes nothing, if a key is not usable.
    public func replaceNetworkKeys(_ networkKeys: [(phase: UInt8, key: [UInt8])]) throws(PacketSealingError) {
        self.networkKeys = try Self.checked(networkKeys)
        keyPhases = networkKeys.map(\.phase)
    }

    private static func checked(
        _ networkKeys: [(phase: UInt8, key: [UInt8])]
    ) throws(PacketSealingError) -> [NetworkKey] {
        guard !networkKeys.isEmpty else { throw .noNetworkKey }
        guard networkKeys.count <= networkKeysMax else { throw .tooManyNetworkKeys(count: networkKeys.count) }
        var keys: [NetworkKey] = []
        for (phase, key) in networkKeys {
            guard key.count == networkKeyLength else { throw .networkKeyLength(phase: phase, bytes: key.count) }
            guard !keys.contains(where: { $0.phase == phase }) else { throw .repeatedPhase(phase) }
            keys.append(try NetworkKey(phase: phase, key: key))
        }
        try checkReuse(of: keys[0].handshake)
        return keys
    }

    deinit {
        macKeys.all.forEach { $0.free() }
        sealKeys.all.forEach { $0.free() }
        cookies.free()
        EVP_CIPHER_free(cipher)
    }

    public func random(into buffer: UnsafeMutableRawBufferPointer) {
        guard !buffer.isEmpty else { return }
        precondition(RAND_bytes(buffer.bytePointer, Int32(buffer.count)) == 1, "libcrypto has no random bytes")
    }

    public func handshakeMAC(
        phase: UInt8, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard let key = networkKey(phase) else { return false }
        key.handshake.mac(of: bytes, into: tag)
        return true
    }

    /// The secrets of the newest two generations are kept. For an older generation the tag is random, so that no cookie
    /// matches it. A new generation evicts the older secret: check a cookie's time before its MAC.
    public func cookieMAC(
        secret: UInt64, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer
    ) {
        guard let context = cookies.context(generation: secret) else { return random(into: tag) }
        context.mac(of: bytes, into: tag)
    }

    /// Also nil if the table is full or libcrypto fails; both are counted.
    public func makeLinkKeys(
        phase: UInt8, childNonce: HandshakeNonce, parentNonce: HandshakeNonce, child: NodeID, parent: NodeID
    ) -> LinkKeys? {
        guard let key = networkKey(phase) else { return nil }
        guard macKeys.hasRoom(for: 2) else {
            tableFullCount += 1
            return nil
        }
        guard
            let contexts = key.linkContexts(
                childNonce: childNonce, parentNonce: parentNonce, child: child, parent: parent)
        else {
            countFailure()
            return nil
        }
        return LinkKeys(
            childToParent: MACKey(index: macKeys.insert(contexts.childToParent)),
            parentToChild: MACKey(index: macKeys.insert(contexts.parentToChild)))
    }

    public func release(_ keys: LinkKeys) {
        macKeys.remove(keys.childToParent.index)?.free()
        macKeys.remove(keys.parentToChild.index)?.free()
    }

    public func mac(_ key: MACKey, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer) {
        guard let context = macKeys[key.index] else { preconditionFailure("MAC with a key that was released") }
        context.mac(of: bytes, into: tag)
    }

    /// Also nil if the table is full or libcrypto fails; both are counted.
    public func makeSealKey(
        phase: UInt8, stream: StreamName, source: NodeID, incarnation: Incarnation
    ) -> SealKey? {
        guard let key = networkKey(phase) else { return nil }
        guard sealKeys.hasRoom(for: 1) else {
            tableFullCount += 1
            return nil
        }
        guard
            let context = key.sealContext(cipher: cipher, stream: stream, source: source, incarnation: incarnation)
        else {
            countFailure()
            return nil
        }
        return SealKey(index: sealKeys.insert(context))
    }

    public func release(_ key: SealKey) { sealKeys.remove(key.index)?.free() }

    /// The sequence numbers of a key must increase from call to call: a reused nonce would reveal the authentication
    /// key.
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

    private func networkKey(_ phase: UInt8) -> NetworkKey? {
        for key in networkKeys where key.phase == phase { return key }
        return nil
    }

    private func countFailure() {
        failureCount += 1
        ERR_clear_error()
    }

    /// Throws if a reused HMAC context does not give the same MAC for the same bytes.
    private static func checkReuse(of context: MACContext) throws(PacketSealingError) {
        let message: [UInt8] = [1, 2, 3]
        func mac() -> [UInt8]? {
            var tag = [UInt8](repeating: 0, count: WireLimits.macLength)
            let done = tag.withUnsafeMutableBytes { tag in
                message.withUnsafeBytes { context.tryMAC(of: $0, into: tag) }
            }
            return done ? tag : nil
        }
        guard let first = mac(), mac() == first else {
            ERR_clear_error()
            throw .contextNotReusable
        }
    }
}
