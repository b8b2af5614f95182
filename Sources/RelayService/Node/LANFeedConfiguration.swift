import RelayCore

/// Where the members of a region give each other streams by multicast.
public struct LANFeedConfiguration: Sendable, Hashable {
    /// The interface on the LAN.
    public var interface: String
    public var groups: LanGroups

    public init(interface: String, groups: LanGroups) {
        self.interface = interface
        self.groups = groups
    }
}
