import ArgumentParser
import DNSService
import Glibc
import Logging
import RelayService
import TransactionSigning

/// The secrets of a running name server: read at the start, and reloaded at SIGHUP. If a file cannot be used, its
/// previous content stays in force.
struct NameServerKeys: Sendable {
    let path: String?
    let transfers: TransferOptions
    let server: NameServer
    let ops: NameServerOps
    let logger: Logger
    private let inUse: KeysInUse

    init(
        path: String?, first: KeyFile?, transfers: TransferOptions, server: NameServer, ops: NameServerOps,
        logger: Logger
    ) {
        self.path = path
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

    /// Reloads every file of keys.
    func reload() async {
        if let path {
            do {
                let file = try KeyFile.load(path)
                try inUse.replace(file.networkKeys)
                try await server.replaceProbeKeys(file.networkKeys.phased)
                try await ops.replaceKeys(file)
                let phases = file.networkKeys.map { "\($0.phase)" }.joined(separator: ",")
                let operators = file.operatorKeys.map { "\($0.phase)" }.joined(separator: ",")
                logger.info(
                    "keys reloaded",
                    metadata: ["path": "\(path)", "network": "\(phases)", "operators": "\(operators)"])
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
        for path in [path, transfers.tsigKeys, cookieSecrets].compactMap(\.self) where access(path, R_OK) != 0 {
            logger.warning(
                "a file of secrets can't be read again at SIGHUP: make it readable for the user of the name server",
                metadata: ["path": "\(path)", "cause": "\(String(cString: strerror(errno)))"])
        }
    }
}

extension [KeyFile.NetworkKey] {
    /// The keys as pairs of phase and bytes, for targets that do not know `KeyFile`.
    var phased: [PhasedKey] { map { ($0.phase, $0.bytes) } }
}

/// Unix time, for commands.
enum WallTime {
    static var seconds: Int64 { Int64(time(nil)) }
}
