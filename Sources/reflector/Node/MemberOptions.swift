import ArgumentParser
import ReflectorModel
import RelayCore
import RelayService

/// The options of a member of an edge region or of a set region: who the other members are, and whether they give each
/// other streams by multicast.
struct MemberOptions: ParsableArguments {
    @Option(
        name: .customLong("member"),
        help: ArgumentHelp(
            "Another member of the edge region or set region, by its name in the zone and its address on the LAN, port "
                + "4900 by default. Repeatable: once for each other member. One of them fetches each stream, the others "
                + "get it from there.",
            valueName: "name=address[:port]"))
    var members: [String] = []

    @Option(
        name: .customLong("lan"),
        help: ArgumentHelp(
            "Give the other members streams by multicast on this interface, e.g. eth1: once for all of them, instead of "
                + "one copy for each. All members need it; one that gets nothing from a group is sent a copy of its own.",
            valueName: "interface"))
    var interface: String?

    @Option(
        name: .customLong("lan-groups"),
        help: ArgumentHelp(
            "The groups for --lan, at most 256, the same at all members. By default 239.255.82.0/24:4910 or "
                + "[ff15::5246:0/120]:4910, by the family of the members' addresses.",
            valueName: "block:port"))
    var groups: String?

    /// What the options say for this node: the other members, and how they share streams.
    func parse(own: String) throws -> (members: [RegionNeighbour], lan: LANFeedConfiguration?) {
        let others = try MemberArgument.parse(members, own: own)
        return (others, try feed(for: others))
    }

    /// Nil without `--lan`.
    private func feed(for members: [RegionNeighbour]) throws -> LANFeedConfiguration? {
        guard let interface else {
            guard groups == nil else { throw ValidationError("--lan-groups: needs --lan INTERFACE") }
            return nil
        }
        guard let first = members.first else {
            throw ValidationError("--lan: the region has no other members; name them with --member NAME=ADDRESS")
        }
        let isV4 = first.endpoint.address.isV4
        guard members.allSatisfy({ $0.endpoint.address.isV4 == isV4 }) else {
            throw ValidationError("--lan: the addresses of all members must be of one family, IPv4 or IPv6")
        }
        guard let range = groups.map({ LanGroups(GroupBlock($0)) }) ?? (isV4 ? LanGroups.v4 : LanGroups.v6) else {
            throw ValidationError(
                "--lan-groups: '\(groups ?? "")' is not a block of 1 to 256 multicast addresses with a port, e.g. "
                    + "239.255.82.0/24:4910 or [ff15::5246:0/120]:4910")
        }
        guard range.block.isV4 == isV4 else {
            throw ValidationError("--lan-groups: \(range.block) is not of the family of the members' addresses")
        }
        return LANFeedConfiguration(interface: interface, groups: range)
    }
}
