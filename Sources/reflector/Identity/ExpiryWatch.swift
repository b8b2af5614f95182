import DatagramIO
import IdentityKeys
import Logging
import NodeIdentity
import ReflectorModel
import ServiceLifecycle

/// Logs when a daemon's certificate is about to expire, with what to do.
struct ExpiryWatch: Service {
    let identity: IdentityInUse
    let logger: Logger

    /// How soon after its time a notice comes.
    private static let interval = Duration.seconds(10)

    /// Returns when the service group shuts down or the task is cancelled.
    func run() async {
        var notices = ExpiryNotices()
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            let folder = identity.current
            let now = WallClock.certificateSeconds
            if let notice = notices.due(folder.content, at: now) { tell(notice, folder, at: now) }
            let waited: Void? = try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
            guard waited != nil else { return }
        }
    }

    private func tell(_ notice: ExpiryNotices.Notice, _ folder: IdentityFolder, at now: UInt64) {
        let content = folder.content
        let remedy =
            "reflector keys request \(content.name) --identity \(folder.path); an operator signs it; reflector keys "
            + "install; SIGHUP"
        let metadata: Logger.Metadata = [
            "name": "\(content.name)", "serial": "\(content.serial)",
            "until": "\(UTCTime.text(Int64(content.notAfter)))", "renew": "\(remedy)",
        ]
        switch notice {
        case .expiresSoon:
            logger.warning(
                "the certificate expires in \(TimeText.about(content.notAfter - now)): renew it", metadata: metadata)
        case .expired:
            logger.error(
                "the certificate has expired: other nodes refuse this one until it is renewed", metadata: metadata)
        case .notYetValid:
            logger.error(
                "the certificate is not valid before \(UTCTime.text(Int64(content.notBefore))): is the clock right?",
                metadata: metadata)
        }
    }
}

extension IdentityInUse {
    /// Loads the folder again, and logs the result. Returns what is in force if it is new.
    @discardableResult
    func reload(_ logger: Logger) -> IdentityFolder? {
        do throws(IdentityFileError) {
            let folder = try reload()
            let content = folder.content
            logger.info(
                "identity reloaded",
                metadata: [
                    "path": "\(folder.path)", "name": "\(content.name)", "serial": "\(content.serial)",
                    "until": "\(UTCTime.text(Int64(content.notAfter)))",
                ])
            return folder
        } catch {
            logger.error("identity refused, the previous one stays in force", metadata: ["problem": "\(error)"])
            return nil
        }
    }
}
