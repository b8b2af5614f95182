import Logging
import ReflectorModel

/// Checks that the zone lists the node with the role and the address with which it was started. Without this check, a
/// mistyped command, region or host would show only when the first viewer or encoder comes; and set reflectors refuse a
/// node that contradicts the zone.
struct RoleCheck {
    let configuration: NodeConfiguration
    let resolver: StubResolver
    /// Where the node listens.
    let endpoints: [Endpoint]

    /// Looks the node up and logs what contradicts the zone (error) or is missing in it (warning). Unanswered look-ups
    /// are not reported.
    func run(_ logger: Logger) async {
        let name = ReflectorName.node(host: configuration.name)
        guard ReflectorName.isHost(configuration.name) else { return }
        switch await resolver.lookUp(name) {
        case .records(let answer):
            for finding in Self.findings(configuration, listening: endpoints, answer) {
                logger.error("\(finding)", metadata: ["name": "\(name).\(resolver.zone)"])
            }
        case .noSuchName, .noData:
            logger.warning("\(unlisted)", metadata: ["name": "\(name).\(resolver.zone)", "answer": "NXDOMAIN"])
        case .failed: break
        }
        if configuration.role == .edge, let region = configuration.region {
            let parents = ReflectorName.parents(.first, region, nil)
            guard case .noSuchName = await resolver.lookUp(parents) else { return }
            logger.warning(
                "region \(region) is not declared, or no map line covers its default portset: is --region right?",
                metadata: ["name": "\(parents).\(resolver.zone)", "answer": "NXDOMAIN"])
        }
    }

    /// The contradictions between the node and the zone's answer about its host, each with a remedy.
    static func findings(
        _ configuration: NodeConfiguration, listening endpoints: [Endpoint], _ answer: LookUpAnswer
    ) -> [String] {
        var findings: [String] = []
        let listing = NodeListing(answer)
        let claimed = NodeListing.Part(role: configuration.role, region: configuration.region)
        if !listing.allows(role: claimed.role, region: claimed.region) {
            findings.append(
                "this node is started as \(claimed), but the zone says that \(configuration.name) is "
                    + "\(listing.description); set reflectors will refuse it: start it with the command and --region that "
                    + "the zone gives this host, or correct the setregion, region or stream line")
        }
        let listed = Set(answer.hosts.map(\.endpoint.address))
        let isAnyAddress = endpoints.contains { $0.address.isUnspecified }
        if !isAnyAddress, !listed.isEmpty, !endpoints.contains(where: { listed.contains($0.address) }) {
            let own = endpoints.map { "\($0.address)" }.joined(separator: ", ")
            let addresses = answer.hosts.map { "\($0.endpoint.address)" }.joined(separator: ", ")
            findings.append(
                "this node listens on \(own), but the zone has \(configuration.name) at \(addresses): if a "
                    + "node of that name runs there too, set reflectors will refuse this one; give this host a name of "
                    + "its own, or correct its A and AAAA records")
        }
        return findings
    }

    private var unlisted: String {
        switch configuration.role {
        case .edge:
            "no region line names \(configuration.name) in hosts=: its name and region cannot be checked by others"
        case .entrypoint:
            "no stream line names \(configuration.name) as an entrypoint: is this the right host for it?"
        case .set, .observer:
            "no setregion line names \(configuration.name) in hosts=: nobody will ask it for streams"
        }
    }
}
