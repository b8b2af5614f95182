import ReflectorModel

/// The multicast groups of a region's LAN: a fixed hash of its name gives each stream its group. Streams may share one;
/// receivers tell them apart by the token of each feed (WireFormat.md, "LanFeed"). The same on all members.
public struct LanGroups: Sendable, Hashable {
    /// Multicast addresses of one family.
    public let block: CIDRBlock
    public let port: UInt16

    /// The default groups: of the administratively scoped block that RFC 2365 leaves to each site, and its counterpart in
    /// IPv6 (RFC 4291 §2.7).
    public static let v4 = LanGroups(CIDRBlock("239.255.82.0/24"), port: 4_910)
    public static let v6 = LanGroups(CIDRBlock("ff15::5246:0/120"), port: 4_910)

    /// At most this many groups: a node opens a socket for each one in use.
    public static let countMax: UInt64 = 256

    /// Nil if the block is not one of at most `countMax` multicast addresses, or the port is 0.
    public init?(_ block: CIDRBlock?, port: UInt16) {
        guard let block, port > 0, block.count <= Self.countMax, let first = block.address(at: 0),
            let last = block.address(at: block.count - 1), first.isMulticast, last.isMulticast
        else { return nil }
        self.block = block
        self.port = port
    }

    public func group(of stream: StreamName) -> Endpoint {
        let index = FixedHash.hash(stream.text, purpose: .lan) % block.count
        // The index is below the count, so there is such an address.
        return Endpoint(address: block.address(at: index) ?? IPAddress(v4: 0), port: port)
    }

    public func contains(_ group: Endpoint) -> Bool { group.port == port && block.contains(group.address) }
}
