import Glibc
import NodeIdentity
import ReflectorModel
import SecretFiles

/// The identities of a whole network whose nodes run on one machine, for `reflector up` and laboratories:
///
/// ```
/// operator/        the folder of the operator `up`
/// nodes/NAME/      the identity folder of each node
/// ```
/// On a network of several machines the operator's folder is kept off it, and each node makes its own key.
public struct LocalIdentities: Sendable {
    /// How long certificates are valid, in seconds: 90 days.
    public static let lifetime: UInt64 = 90 * 86_400
    /// A certificate is renewed if it expires within this many seconds: 30 days.
    public static let renewal: UInt64 = 30 * 86_400

    /// What a node is.
    public struct Node: Sendable, Hashable {
        public var name: String
        public var role: CertifiedRole
        public var region: CertifiedRegion

        public init(name: String, role: CertifiedRole, region: CertifiedRegion = .none) {
            self.name = name
            self.role = role
            self.region = region
        }
    }

    public let path: String

    public init(_ path: String) { self.path = path }

    /// The operator's folder.
    public var operatorFolder: String { path + "/operator" }
    /// The identity folder of a node.
    public func folder(of name: String) -> String { "\(path)/nodes/\(name)" }

    /// Makes what is missing: the operator, and each node's key and certificate. Renews certificates that expire soon
    /// or say something else about their nodes.
    /// - Parameter now: in seconds since 1970.
    public func make(_ nodes: [Node], zone: String, now: UInt64) throws(IdentityFileError) {
        if access(OperatorFolder.keyPath(operatorFolder), F_OK) != 0 {
            _ = try OperatorFolder.make(operatorFolder, name: "up", role: .admin)
        }
        var operating = try OperatorFolder(admin: operatorFolder)
        var orders: [OperatorFolder.Order] = []
        for node in nodes where !isGood(node, zone: zone, now: now) {
            let request = try IdentityFolder.request(for: node.name, in: folder(of: node.name))
            orders.append(.init(request, role: node.role, region: node.region))
        }
        let certificates = try operating.sign(
            orders, zone: zone, now: now, seconds: Self.lifetime, replacing: true)
        for certificate in certificates {
            try IdentityFolder.install(
                certificate, operators: operating.operators, in: folder(of: certificate.content.name))
        }
    }

    private func isGood(_ node: Node, zone: String, now: UInt64) -> Bool {
        guard let identity = try? IdentityFolder(loading: folder(of: node.name)) else { return false }
        let content = identity.content
        return content.name == node.name && content.role == node.role && content.region == node.region
            && content.zone == zone && content.notBefore <= now && content.notAfter > now + Self.renewal
            && identity.operators == (try? OperatorDirectory.load(OperatorFolder.operatorsPath(operatorFolder)))
    }
}
