import ArgumentParser
import ReflectorModel
import RelayCore
import RelayService

/// The options by which the members of a region give each other streams by multicast.
struct LANOptions: ParsableArguments {
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

    /// What the options say; nil without `--lan`.
    func feed(for members: [RegionNeighbour]) throws -> LANFeedConfiguration? {
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
        guard let range = groups.map(Self.parse) ?? (isV4 ? LanGroups.v4 : LanGroups.v6) else {
            throw ValidationError(
                "--lan-groups: '\(groups ?? "")' is not a block of 1 to 256 multicast addresses with a port, e.g. "
                    + "239.255.82.0/24:4910 or [ff15::5246:0/120]:4910")
        }
        guard range.block.isV4 == isV4 else {
            throw ValidationError("--lan-groups: \(range.block) is not of the family of the members' addresses")
        }
        return LANFeedConfiguration(interface: interface, groups: range)
    }

    private static func parse(_ text: String) -> LanGroups? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var block = text[..<colon]
        if block.first == "[" {
            guard block.last == "]" else { return nil }
            block = block.dropFirst().dropLast()
        } else if block.contains(":") {
            return nil
        }
        return LanGroups(CIDRBlock(block), port: port)
    }
}
