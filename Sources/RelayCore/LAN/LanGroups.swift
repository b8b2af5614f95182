import ReflectorModel

/// The multicast groups of a region's LAN: a fixed hash of its name gives each stream its group. Streams may share one;
/// receivers tell them apart by the token of each feed (WireFormat.md, "LanFeed"). The same on all members.
public struct LanGroups: Sendable, Hashable {
    private let groups: GroupBlock
    public var block: CIDRBlock { groups.block }

    /// The default groups: of the administratively scoped block that RFC 2365 leaves to each site, and its counterpart in
    /// IPv6 (RFC 4291 §2.7).
    public static let v4 = LanGroups(CIDRBlock("239.255.82.0/24"), port: 4_910)
    public static let v6 = LanGroups(CIDRBlock("ff15::5246:0/120"), port: 4_910)

    /// At most this many groups: a node opens a socket for each one in use.
    public static let countMax: UInt64 = 256

    /// Nil if there are more than `countMax` groups.
    public init?(_ groups: GroupBlock?) {
        guard let groups, groups.block.count <= Self.countMax else { return nil }
        self.groups = groups
    }

    /// Nil if the block is not one of at most `countMax` multicast addresses, or the port is 0.
    public init?(_ block: CIDRBlock?, port: UInt16) { self.init(block.flatMap { GroupBlock($0, port: port) }) }

    public func group(of stream: StreamName) -> Endpoint {
        let index = FixedHash.hash(stream.text, purpose: .lan) % block.count
        // The index is below the count, so there is such an address.
        return Endpoint(address: block.address(at: index) ?? IPAddress(v4: 0), port: groups.port)
    }

    public func contains(_ group: Endpoint) -> Bool { groups.contains(group) }
}
