import ReflectorModel

/// 16 random bytes that make each handshake unique.
public struct HandshakeNonce: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

/// A parent's cookie, as the child returns it: the parent's clock and a MAC that only the parent can compute.
public struct HandshakeCookie: Hashable, Sendable {
    public var milliseconds: UInt64
    public var macHigh: UInt64
    public var macLow: UInt64
    public init(milliseconds: UInt64, macHigh: UInt64, macLow: UInt64) {
        self.milliseconds = milliseconds
        self.macHigh = macHigh
        self.macLow = macLow
    }
}

/// A message of the handshake (WireFormat.md, "Handshake").
public enum HandshakeMessage: Sendable, Equatable {
    case hello(keyPhase: UInt8, role: NodeRole, node: NodeID, nonce: HandshakeNonce)
    case cookie(keyPhase: UInt8, nonce: HandshakeNonce, cookie: HandshakeCookie)
    case open(Open)
    case opened(Opened)
    case refused(keyPhase: UInt8, reason: RefusedReason, nonce: HandshakeNonce)
    case probe(Probe)
    case probeReport(ProbeReport)
}

public struct Open: Sendable, Equatable {
    public var keyPhase: UInt8
    public var role: NodeRole
    public var node: NodeID
    public var nonce: HandshakeNonce
    public var cookie: HandshakeCookie
    /// Token that the parent writes on everything it sends on this link.
    public var childToken: UInt64
    public var region: RegionID?
    /// Host name relative to the zone, for people; at most 255 bytes. The protocol identifies the child by `node`.
    public var name: String

    public init(
        keyPhase: UInt8, role: NodeRole, node: NodeID, nonce: HandshakeNonce, cookie: HandshakeCookie,
        childToken: UInt64, region: RegionID?, name: String
    ) {
        self.keyPhase = keyPhase
        self.role = role
        self.node = node
        self.nonce = nonce
        self.cookie = cookie
        self.childToken = childToken
        self.region = region
        self.name = name
    }
}

public struct Opened: Sendable, Equatable {
    public var keyPhase: UInt8
    public var role: NodeRole
    public var node: NodeID
    public var nonce: HandshakeNonce
    public var parentNonce: HandshakeNonce
    /// Token that the child writes on everything it sends on this link.
    public var parentToken: UInt64
    public var leaseMilliseconds: UInt32
    /// Number of shards of the parent, which listen on consecutive ports, and the shard that answered.
    public var shardCount: UInt16
    public var shard: UInt16
    public var name: String

    public init(
        keyPhase: UInt8, role: NodeRole, node: NodeID, nonce: HandshakeNonce, parentNonce: HandshakeNonce,
        parentToken: UInt64, leaseMilliseconds: UInt32, shardCount: UInt16, shard: UInt16, name: String
    ) {
        self.keyPhase = keyPhase
        self.role = role
        self.node = node
        self.nonce = nonce
        self.parentNonce = parentNonce
        self.parentToken = parentToken
        self.leaseMilliseconds = leaseMilliseconds
        self.shardCount = shardCount
        self.shard = shard
        self.name = name
    }
}

public enum RefusedReason: UInt8, Sendable, CaseIterable {
    case tableFull = 0
    case version = 1
    case cookie = 2
    case ownID = 3
    /// The zone contradicts the name, role, region or address that the child claims.
    case identity = 4
}
