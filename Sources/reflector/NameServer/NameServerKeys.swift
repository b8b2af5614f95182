import ArgumentParser
import DNSService
import Glibc
import IdentityKeys
import Logging
import NodeIdentity
import TransactionSigning

/// The secrets of a running name server: read at the start, and reloaded at SIGHUP. If a file cannot be used, its
/// previous content stays in force.
struct NameServerKeys: Sendable {
    /// The identity folder.
    let identity: IdentityInUse?
    let transfers: TransferOptions
    let server: NameServer
    let ops: NameServerOps
    let logger: Logger

    /// The identity at the start. Ends the command if it can't be used.
    static func loadIdentity(_ path: String) throws -> IdentityFolder {
        do throws(IdentityFileError) {
            return try checkedIdentity(path)
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
    }

    /// The identity of a name server. Throws for one of another role.
    private static func checkedIdentity(_ path: String) throws(IdentityFileError) -> IdentityFolder {
        let folder = try IdentityFolder(loading: path)
        guard folder.content.role == .nameServer else {
            throw IdentityFileError(
                IdentityFolder.certificatePath(path),
                "\(folder.content.name) is certified as \(folder.content.role); a name server needs a certificate of the "
                    + "role \(CertifiedRole.nameServer)")
        }
        return folder
    }

    /// Reloads the identity and the TSIG keys.
    func reload() async {
        if let identity {
            do throws(IdentityFileError) {
                let folder = try identity.reload()
                await server.replace(folder)
                await ops.replace(folder)
                logger.info(
                    "identity reloaded",
                    metadata: [
                        "path": "\(folder.path)", "serial": "\(folder.content.serial)",
                        "operators": "\(folder.operators.entries.map(\.name).joined(separator: ","))",
                    ])
            } catch {
                logger.error("identity refused, the previous one stays in force", metadata: ["problem": "\(error)"])
            }
        }
        do {
            guard let keys = try transfers.keys() else { return }
            server.replaceTransferKeys(keys)
            logger.info("TSIG keys reloaded", metadata: ["path": "\(transfers.tsigKeys ?? "")"])
        } catch {
            logger.error("TSIG keys refused, the previous ones stay in force", metadata: ["problem": "\(error)"])
        }
    }

    /// Warns at the start about files of secrets that the server's user can't read: SIGHUP could not reload them.
    func warn(cookieSecrets: String?) {
        let key = identity.map { IdentityFolder.keyPath($0.current.path) }
        for path in [key, transfers.tsigKeys, cookieSecrets].compactMap(\.self) where access(path, R_OK) != 0 {
            logger.warning(
                "a file of secrets can't be read again at SIGHUP: make it readable for the user of the name server",
                metadata: ["path": "\(path)", "cause": "\(String(cString: strerror(errno)))"])
        }
    }
}
