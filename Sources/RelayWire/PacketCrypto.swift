import ReflectorModel

/// A key for control messages in one direction of one link, held by the `PacketCrypto` that made it.
public struct MACKey: Hashable, Sendable {
    public var index: Int32
    public init(index: Int32) { self.index = index }
}

/// The key that encrypts the sealing keys of streams on one link, held by the `PacketCrypto` that made it.
public struct WrapKey: Hashable, Sendable {
    public var index: Int32
    public init(index: Int32) { self.index = index }
}

/// The sealing key of one incarnation, held by the `PacketCrypto` that made it.
public struct SealKey: Hashable, Sendable {
    public var index: Int32
    public init(index: Int32) { self.index = index }
}

/// The keys of a link: a MAC key for each direction, and the key for the streams' keys that the parent sends.
public struct LinkKeys: Hashable, Sendable {
    public var childToParent: MACKey
    public var parentToChild: MACKey
    public var wrapping: WrapKey
    public init(childToParent: MACKey, parentToChild: MACKey, wrapping: WrapKey) {
        self.childToParent = childToParent
        self.parentToChild = parentToChild
        self.wrapping = wrapping
    }
}

/// All the cryptography of open links and of streams, and the protocol's only source of random secrets. `PacketSealing`
/// implements it with libcrypto; the simulator uses a fast keyed hash. Class-bound, so that a call costs one indirection
/// and no existential box. Keys are handles, so that the packet path counts no references. Owned by one event loop.
///
/// The handshake has cryptography of its own (`IdentityCrypto`); it gives the keys of a link to the implementation.
public protocol PacketCrypto: AnyObject {
    /// Fills the buffer with unpredictable bytes.
    func random(into buffer: UnsafeMutableRawBufferPointer)

    func release(_ keys: LinkKeys)

    /// 16-byte MAC of a control message.
    func mac(_ key: MACKey, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer)

    /// A fresh random key for an incarnation. Nil if there is no room for it.
    func makeSealKey() -> SealKey?
    /// The key for the packets of an incarnation that come from a twin feed (`PacketKind.twin`). It follows from the
    /// incarnation's key alone, so that all nodes derive the same one. The caller releases it. Nil if there is no room.
    ///
    /// Sequence numbers may be sealed under it in any order. The caller must never seal two payloads with one number.
    func deriveTwinKey(_ key: SealKey) -> SealKey?
    func release(_ key: SealKey)

    /// Encrypts a stream's key for the child of a link. `nonce` must never be used twice with `wrapping`.
    func wrap(_ key: SealKey, of tag: IncarnationTag, under wrapping: WrapKey, nonce: UInt64) -> WrappedKey
    /// The key that the parent of a link encrypted for this incarnation. Nil if it did not, or there is no room.
    func unwrap(_ wrapped: WrappedKey, of tag: IncarnationTag, under wrapping: WrapKey) -> SealKey?
    /// True if both are the same key.
    func areEqual(_ a: SealKey, _ b: SealKey) -> Bool

    /// Encrypts `payload` in place and writes the 16-byte tag.
    func seal(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer,
        payload: UnsafeMutableRawBufferPointer, tag: UnsafeMutableRawBufferPointer)

    /// Verifies and decrypts into `plaintext` (as long as `ciphertext`; may be the same memory). False if the tag is
    /// wrong: then the content of `plaintext` is meaningless.
    func open(
        _ key: SealKey, sequence: SequenceNumber, header: UnsafeRawBufferPointer, ciphertext: UnsafeRawBufferPointer,
        tag: UnsafeRawBufferPointer, into plaintext: UnsafeMutableRawBufferPointer
    ) -> Bool
}

/// Constant-time comparison of two MACs of equal length.
@inlinable
public func macsAreEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in 0..<a.count { difference |= a[index] ^ b[index] }
    return difference == 0
}
