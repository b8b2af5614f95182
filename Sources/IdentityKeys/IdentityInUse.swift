import NodeIdentity
import ReflectorModel
import Synchronization

/// The identity that a daemon uses, and loads again from its folder.
public final class IdentityInUse: Sendable {
    private let folder: Mutex<IdentityFolder>

    public init(_ folder: IdentityFolder) { self.folder = Mutex(folder) }

    public var current: IdentityFolder { folder.withLock { $0 } }

    public func replace(_ next: IdentityFolder) { folder.withLock { $0 = next } }

    /// Loads the folder again: a renewed certificate, a new key, other operators. Throws, and changes nothing, if it
    /// has problems or is another node's.
    public func reload() throws(IdentityFileError) -> IdentityFolder {
        let known = current
        let next = try IdentityFolder(loading: known.path)
        let isSame = { (a: CertificateContent, b: CertificateContent) in
            a.name == b.name && a.zone == b.zone && a.role == b.role && a.region == b.region
        }
        guard isSame(known.content, next.content) else {
            throw IdentityFileError(
                IdentityFolder.certificatePath(known.path),
                "now of \(next.content.name), \(next.content.roleText), in \(next.content.zone); a running node can't "
                    + "become another one: restart it, or install a certificate of \(known.content.name), "
                    + "\(known.content.roleText)")
        }
        replace(next)
        return next
    }

    /// Seconds until the certificate expires; negative afterwards.
    /// - Parameter now: in seconds since 1970.
    public func secondsLeft(at now: UInt64) -> Int64 { Int64(current.content.notAfter) - Int64(now) }
}
