import ArgumentParser
import DNSService
import Glibc
import Logging
import RelayService
import TransactionSigning

/// The secrets of a running name server: read at the start, and all of them again at SIGHUP. Each file that can't be used
/// leaves what was read from it before in force.
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

    /// Reads every file of keys again.
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
                    "keys read again",
                    metadata: ["path": "\(path)", "network": "\(phases)", "operators": "\(operators)"])
            } catch {
                logger.error("keys refused, those before stay in force", metadata: ["problem": "\(error)"])
            }
        }
        do {
            guard let keys = try transfers.keys() else { return }
            server.replaceTransferKeys(keys)
            logger.info("TSIG keys read again", metadata: ["path": "\(transfers.tsigKeys ?? "")"])
        } catch {
            logger.error("TSIG keys refused, those before stay in force", metadata: ["problem": "\(error)"])
        }
    }

    /// Says at the start what would go wrong later: files that the user we have become can't read, and a key file that
    /// lets nobody override.
    func warn(cookieSecrets: String?) {
        for path in [path, transfers.tsigKeys, cookieSecrets].compactMap(\.self) where access(path, R_OK) != 0 {
            logger.warning(
                "secrets can't be read again at SIGHUP: give the file to the user that the name server becomes",
                metadata: ["path": "\(path)", "cause": "\(String(cString: strerror(errno)))"])
        }
    }
}

extension [KeyFile.NetworkKey] {
    /// As libraries below the key file take them.
    var phased: [PhasedKey] { map { ($0.phase, $0.bytes) } }
}

/// Unix time, for commands.
enum WallTime {
    static var seconds: Int64 { Int64(time(nil)) }
}
