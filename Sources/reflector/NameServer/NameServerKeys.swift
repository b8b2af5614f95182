import ArgumentParser
import DNSService
import Glibc
import IdentityKeys
import Logging
import NodeIdentity
import RelayService
import TransactionSigning

/// The secrets of a running name server: read at the start, and reloaded at SIGHUP. If a file cannot be used, its
/// previous content stays in force.
struct NameServerKeys: Sendable {
    let path: String?
    /// The identity folder.
    let identity: String?
    let transfers: TransferOptions
    let server: NameServer
    let ops: NameServerOps
    let logger: Logger
    private let inUse: KeysInUse

    init(
        path: String?, first: KeyFile?, identity: String?, transfers: TransferOptions, server: NameServer,
        ops: NameServerOps, logger: Logger
    ) {
        self.path = path
        self.identity = identity
        self.transfers = transfers
        self.server = server
        self.ops = ops
        self.logger = logger
        inUse = KeysInUse(first?.networkKeys ?? [])
    }

    static func load(_ path: String) throws -> KeyFile {
        do throws(KeyFile.Invalid) {
            return try KeyFile.load(path)
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
    }

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

    /// Reloads the identity and every file of keys.
    func reload() async {
        if let identity {
            do throws(IdentityFileError) {
                let folder = try Self.checkedIdentity(identity)
                await ops.replace(folder)
                logger.info(
                    "identity reloaded",
                    metadata: [
                        "path": "\(identity)", "serial": "\(folder.content.serial)",
                        "operators": "\(folder.operators.entries.map(\.name).joined(separator: ","))",
                    ])
            } catch {
                logger.error("identity refused, the previous one stays in force", metadata: ["problem": "\(error)"])
            }
        }
        if let path {
            do {
                let file = try KeyFile.load(path)
                try inUse.replace(file.networkKeys)
                try await server.replaceProbeKeys(file.networkKeys.phased)
                let phases = file.networkKeys.map { "\($0.phase)" }.joined(separator: ",")
                logger.info("keys reloaded", metadata: ["path": "\(path)", "network": "\(phases)"])
            } catch {
                logger.error("keys refused, the previous ones stay in force", metadata: ["problem": "\(error)"])
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
        let key = identity.map { IdentityFolder.keyPath($0) }
        for path in [path, key, transfers.tsigKeys, cookieSecrets].compactMap(\.self) where access(path, R_OK) != 0 {
            logger.warning(
                "a file of secrets can't be read again at SIGHUP: make it readable for the user of the name server",
                metadata: ["path": "\(path)", "cause": "\(String(cString: strerror(errno)))"])
        }
    }
}

extension [KeyFile.NetworkKey] {
    /// The keys as pairs of phase and bytes, for targets that do not know `KeyFile`.
    var phased: [(phase: UInt8, key: [UInt8])] { map { ($0.phase, $0.bytes) } }
}

/// Unix time, for commands.
enum WallTime {
    static var seconds: Int64 { Int64(time(nil)) }
}
