import ArgumentParser
import ReflectorModel
import RelayCore

/// The value of `--member`: another member of the region, `NAME=ADDRESS[:PORT]`.
enum MemberArgument {
    private static let portUsual: UInt16 = 4_900

    static func parse(_ text: String) throws -> RegionNeighbour {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2, ReflectorName.isHost(parts[0].lowercased()) else {
            throw ValidationError("--member: '\(text)' is not NAME=ADDRESS[:PORT], e.g. bos-2=192.168.1.12")
        }
        let endpoint = Endpoint(parts[1]) ?? IPAddress(parts[1]).map { Endpoint(address: $0, port: portUsual) }
        guard let endpoint, !endpoint.address.isUnspecified else {
            throw ValidationError("--member: '\(parts[1])' in '\(text)' is not an address, e.g. 192.168.1.12:4900")
        }
        return RegionNeighbour(name: parts[0].lowercased(), endpoint: endpoint)
    }

    /// All members; each may be named once, and the node itself not at all.
    static func parse(_ texts: [String], own: String) throws -> [RegionNeighbour] {
        let members = try texts.map(parse)
        guard members.count <= RegionRules.membersMax else {
            throw ValidationError("--member: at most \(RegionRules.membersMax) other members, not \(members.count)")
        }
        for (place, member) in members.enumerated() {
            guard member.name != own.lowercased() else {
                throw ValidationError("--member: \(member.name) is this node itself; name only the others")
            }
            guard !members[..<place].contains(where: { $0.name == member.name || $0.endpoint == member.endpoint })
            else { throw ValidationError("--member: \(member.name) or its address is named twice") }
        }
        return members
    }
}
