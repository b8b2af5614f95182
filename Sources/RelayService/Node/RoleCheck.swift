import Logging
import ReflectorModel

/// Whether the zone knows of a node in the part that it was given: a mistyped region or host else shows only when the
/// first viewer or encoder comes.
struct RoleCheck {
    let configuration: NodeConfiguration
    let resolver: StubResolver

    /// Looks the node's part up and warns where the zone does not know of it. What no server answers is no finding.
    func run(_ logger: Logger) async {
        guard let name, case .noSuchName = await resolver.lookUp(name), let warning else { return }
        logger.warning("\(warning)", metadata: ["name": "\(name).\(resolver.zone)", "answer": "NXDOMAIN"])
    }

    /// The name that exists if all is well; nil for parts that cannot be told from the zone's names.
    private var name: ReflectorName? {
        switch (configuration.role, configuration.region) {
        case (.edge, let region?): .parents(.first, region, nil)
        case (.entrypoint, _): .announceTargets(host: configuration.name)
        default: nil
        }
    }

    private var warning: String? {
        switch (configuration.role, configuration.region) {
        case (.edge, let region?):
            "region \(region) is not declared, or no map line is about it and the default portset: is --region right?"
        case (.entrypoint, _):
            "no stream line names \(configuration.name) as an entrypoint: is this the right host for it?"
        default: nil
        }
    }
}
