import NodeIdentity
import ReflectorModel

/// Who belongs to a node's region. Name and address of a member come from the configuration, the region from its
/// certificate.
extension RelayConfiguration {
    /// Whether a node is of the same region, by its certificate: an edge of the same edge region, or a set reflector of
    /// the same set region.
    func isOfRegion(_ peer: CertificateContent) -> Bool {
        switch (role, peer.role) {
        case (.edge, .edge): region != nil && peer.region.edgeRegion == region
        case (.set, .set): setRegion.map { peer.region == .set($0) } ?? false
        default: false
        }
    }

    /// Whether a child is of the same region, and this node has such neighbours at all.
    func isNeighbour(_ link: ChildLink) -> Bool { !neighbours.isEmpty && isOfRegion(link.certificate) }
}
