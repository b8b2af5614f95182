import ReflectorModel

/// The keys of a link. Both ends have the same ones if, and only if, they saw the same handshake.
public struct LinkSecrets<Secret> {
    /// Authenticates control messages of the child.
    public let childToParent: Secret
    /// Authenticates control messages of the parent.
    public let parentToChild: Secret
    /// Encrypts what the parent tells the child in confidence: the sealing keys of streams.
    public let parentToChildSealing: Secret
}

extension LinkSecrets: Sendable where Secret: Sendable {}

/// A finished handshake, as one end sees it.
public struct EstablishedLink<Crypto: IdentityCrypto> {
    public let secrets: LinkSecrets<Crypto.Secret>
    /// Proved by the peer's signature over this handshake. Whether the zone agrees is for the caller to check.
    public let peer: NodeCertificate
    /// What the peer's link sent along.
    public let payload: [UInt8]
    /// Equal at both ends, and different for every handshake. Not secret: for logs and tests.
    public let transcript: Digest
    /// False at the parent: a repeated or delayed Open looks like a new one. The parent must not end an older link of
    /// this child, nor send data, before a control message with `childToParent` has arrived on the new one.
    public let isConfirmed: Bool
}

/// When a link must change its keys by a new handshake. The old link works until the new one is confirmed.
public enum RekeyRule {
    /// Link packet numbers have 32 bits.
    public static let packetsMax: UInt64 = 1 << 32
    public static let ageMax = TimeSpan.seconds(86_400)
    /// The handshake begins when this share of the age has passed, and when this many packets are left (three minutes at
    /// 350,000 packets per second).
    static let ageDue = TimeSpan.seconds(82_800)
    static let packetsDue: UInt64 = packetsMax - (1 << 26)

    /// Whether it is time to begin.
    public static func isDue(packets: UInt64, age: TimeSpan) -> Bool { packets >= packetsDue || age >= ageDue }
    /// Whether the link must not be used any more.
    public static func isOver(packets: UInt64, age: TimeSpan) -> Bool { packets >= packetsMax || age >= ageMax }
}
