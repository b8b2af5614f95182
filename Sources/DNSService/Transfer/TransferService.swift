import DNSAnswers
import Logging
import ReflectorModel

/// State that all zone transfers of a name server share: the policy, the generations, and the log.
struct TransferService: Sendable {
    let sources: TransferSources
    private let policy: TransferPolicy
    private let archive: GenerationArchive
    private let log: TransferLog
    private let logger: Logger

    init(_ configuration: NameServer.Configuration, archive: GenerationArchive, log: TransferLog, logger: Logger) {
        policy = configuration.transfers
        sources = TransferSources(archive: archive, recordsMax: configuration.transferRecordsMax, logger: logger)
        self.archive = archive
        self.log = log
        self.logger = logger
    }

    /// A request handler for one loop.
    func requestHandler(_ engine: AnswerEngine) -> RequestHandler {
        RequestHandler(policy: policy, log: log, logger: logger, engine: engine)
    }

    /// Sets the zones that transfers serve.
    func serve(_ zones: [(content: ZoneContent, serial: UInt32)]) async { await sources.serve(zones) }

    /// Archives the served generations, and removes the generations of zones that are no longer served.
    func keep(_ zones: [(content: ZoneContent, serial: UInt32)]) async {
        let archive = archive
        await Task.detached {
            for zone in zones where archive.serials(of: zone.content.zone).last != zone.serial {
                archive.keep(zone.content, serial: zone.serial)
            }
            archive.retain(zones: zones.map(\.content.zone))
        }.value
    }
}
