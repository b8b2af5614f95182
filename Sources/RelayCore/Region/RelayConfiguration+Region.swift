import NodeIdentity
import ReflectorModel

/// Who belongs to an edge's region. Name and address of a member come from the configuration, the region from its
/// certificate.
extension RelayConfiguration {
    /// Whether a node is an edge of the same region, by its certificate.
    func isOfRegion(_ peer: CertificateContent) -> Bool {
        role == .edge && region != nil && peer.role == .edge && peer.region.edgeRegion == region
    }

    /// Whether a child is an edge of the same region, and this node has such neighbours at all.
    func isNeighbour(_ link: ChildLink) -> Bool { !neighbours.isEmpty && isOfRegion(link.certificate) }
}
