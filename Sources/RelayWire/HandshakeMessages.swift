import NodeIdentity
import ReflectorModel

/// A message of the handshake (WireFormat.md, "Handshake").
public enum HandshakeMessage: Sendable, Hashable {
    case hello(HelloMessage)
    case cookie(CookieMessage)
    case open(OpenMessage)
    case opened(OpenedMessage)
    case refused(RefusedMessage)
}

/// What a child tells the parent in the encrypted part of Open, beside its identity.
public struct LinkRequest: Sendable, Hashable {
    /// Token that the parent writes on everything it sends on this link.
    public var childToken: UInt64
    /// The parent's token of the link that gets new keys by this handshake; 0 for a new link.
    public var renewedToken: UInt64

    public static let length = 16

    public init(childToken: UInt64, renewedToken: UInt64 = 0) {
        self.childToken = childToken
        self.renewedToken = renewedToken
    }
}

/// What a parent tells the child in the encrypted part of Opened, beside its identity.
public struct LinkGrant: Sendable, Hashable {
    /// Token that the child writes on everything it sends on this link.
    public var parentToken: UInt64
    public var leaseMilliseconds: UInt32
    /// Number of shards of the parent, which listen on consecutive ports, and the shard that answered.
    public var shardCount: UInt16
    public var shard: UInt16

    public static let length = 16

    public init(parentToken: UInt64, leaseMilliseconds: UInt32, shardCount: UInt16 = 1, shard: UInt16 = 0) {
        self.parentToken = parentToken
        self.leaseMilliseconds = leaseMilliseconds
        self.shardCount = shardCount
        self.shard = shard
    }
}

extension LinkRequest {
    public var encoded: [UInt8] {
        WireWriter.bytes(count: Self.length) { writer in
            writer.write(childToken)
            writer.write(renewedToken)
        }
    }

    /// Throws `tooShort`, `trailingBytes`, or `unknownValue` for a child token of 0.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        self = try WireReader.read(bytes) { reader throws(WireError) in
            let childToken = try reader.read(UInt64.self)
            guard childToken != 0 else { throw .unknownValue }
            return LinkRequest(childToken: childToken, renewedToken: try reader.read())
        }
    }
}

extension LinkGrant {
    public var encoded: [UInt8] {
        precondition(shard < shardCount, "LinkGrant: a shard beyond the count")
        return WireWriter.bytes(count: Self.length) { writer in
            writer.write(parentToken)
            writer.write(leaseMilliseconds)
            writer.write(shardCount)
            writer.write(shard)
        }
    }

    /// Throws `tooShort`, `trailingBytes`, or `unknownValue` for a parent token of 0 or a shard beyond the count.
    public init(decoding bytes: [UInt8]) throws(WireError) {
        self = try WireReader.read(bytes) { reader throws(WireError) in
            let parentToken = try reader.read(UInt64.self)
            let lease = try reader.read(UInt32.self)
            let shardCount = try reader.read(UInt16.self)
            let shard = try reader.read(UInt16.self)
            guard parentToken != 0, shard < shardCount else { throw .unknownValue }
            return LinkGrant(
                parentToken: parentToken, leaseMilliseconds: lease, shardCount: shardCount, shard: shard)
        }
    }
}
