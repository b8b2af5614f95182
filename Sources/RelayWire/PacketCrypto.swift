import ReflectorModel

/// A key for control messages in one direction of one link, held by the `PacketCrypto` that made it.
public struct MACKey: Hashable, Sendable {
    public var index: Int32
    public init(index: Int32) { self.index = index }
}

/// The sealing key of one incarnation, held by the `PacketCrypto` that made it.
public struct SealKey: Hashable, Sendable {
    public var index: Int32
    public init(index: Int32) { self.index = index }
}

/// The MAC keys of a link, one for each direction.
public struct LinkKeys: Hashable, Sendable {
    public var childToParent: MACKey
    public var parentToChild: MACKey
    public init(childToParent: MACKey, parentToChild: MACKey) {
        self.childToParent = childToParent
        self.parentToChild = parentToChild
    }
}

/// All the cryptography of the protocol, and its only source of secrets. `PacketSealing` implements it with libcrypto;
/// the simulator uses a fast keyed hash. Class-bound, so that a call costs one indirection and no existential box. Keys
/// are handles, so that the packet path counts no references. Owned by one event loop.
public protocol PacketCrypto: AnyObject {
    /// Phases of the accepted network keys; the first key is used for sending.
    var keyPhases: [UInt8] { get }

    /// Fills the buffer with unpredictable bytes.
    func random(into buffer: UnsafeMutableRawBufferPointer)

    /// MAC of a handshake message under a network key. False if the phase is unknown.
    func handshakeMAC(
        phase: UInt8, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer
    ) -> Bool

    /// MAC under the secret of generation `secret`, which only this process knows. A secret is forgotten two
    /// generations later.
    func cookieMAC(secret: UInt64, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer)

    /// Keys of a link. Nil if the phase is unknown.
    func makeLinkKeys(
        phase: UInt8, childNonce: HandshakeNonce, parentNonce: HandshakeNonce, child: NodeID, parent: NodeID
    ) -> LinkKeys?
    func release(_ keys: LinkKeys)

    /// 16-byte MAC of a control message.
    func mac(_ key: MACKey, of bytes: UnsafeRawBufferPointer, into tag: UnsafeMutableRawBufferPointer)

    /// Key of an incarnation. Nil if the phase is unknown.
    func makeSealKey(phase: UInt8, stream: StreamName, source: NodeID, incarnation: Incarnation) -> SealKey?
    func release(_ key: SealKey)

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
