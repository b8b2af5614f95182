import ArgumentParser
import IdentityKeys
import NodeIdentity
import ReflectorModel

/// What a daemon is started as, which its certificate must confirm: other nodes believe only the certificate.
struct IdentityClaim {
    /// Nil if any will do, as for a name server.
    var name: String?
    var role: CertifiedRole
    /// Of an edge.
    var region: RegionID?
    /// Nil if any will do.
    var zone: String?

    /// Loads an identity folder. Prints every problem and ends the command with exit status 1 if there is one.
    func load(_ path: String) throws -> IdentityInUse {
        do throws(IdentityFileError) {
            let folder = try IdentityFolder(loading: path)
            let problems = problems(of: folder.content)
            guard problems.isEmpty else {
                let path = IdentityFolder.certificatePath(path)
                throw IdentityFileError(problems: problems.map { .init(path: path, text: $0) })
            }
            return IdentityInUse(folder)
        } catch {
            for problem in error.problems { StandardError.print("reflector: \(problem)") }
            throw ExitCode(1)
        }
    }

    /// Every contradiction, with a remedy.
    func problems(of content: CertificateContent) -> [String] {
        var problems: [String] = []
        if let name, name != content.name {
            problems.append(
                "the certificate is of \(content.name); start this node as \(content.name), or give its own")
        }
        if role != content.role {
            problems.append(
                "the certificate says \(content.role), and the command \(role); start it with the command of its role")
        }
        if let zone, zone != content.zone {
            problems.append("the certificate is of the zone \(content.zone); give --zone \(content.zone)")
        }
        if role == .edge, let region, case .edge(let certified) = content.region, certified != region {
            problems.append("the certificate is of region \(certified); give --region \(certified.rawValue)")
        }
        return problems
    }
}

extension NodeRole {
    /// The role in certificates.
    var certified: CertifiedRole {
        switch self {
        case .entrypoint: .entrypoint
        case .set: .set
        case .edge: .edge
        case .observer: .observer
        }
    }
}
