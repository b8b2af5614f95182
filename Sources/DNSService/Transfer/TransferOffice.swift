import DNSAnswers
import DatagramIO
import Logging
import ReflectorModel

/// What the transfers of a name server have in common for as long as it runs: the generations, who took them, and whom
/// to tell of new ones.
struct TransferOffice: Sendable {
    let sources: TransferSources
    let log: TransferLog
    private let archive: GenerationArchive
    private let notifier: Notifier?

    init(
        _ configuration: NameServer.Configuration, archive: GenerationArchive, endpoints: [Endpoint],
        sources: TransferSources, log: TransferLog, logger: Logger
    ) throws(DatagramError) {
        self.archive = archive
        self.sources = sources
        self.log = log
        guard !configuration.notify.isEmpty else {
            notifier = nil
            return
        }
        notifier = try Notifier(
            targets: configuration.notify, keys: configuration.transfers.keys, sources: endpoints.map(\.address),
            log: log, logger: logger)
    }

    /// Takes a generation that is answered from now on: for transfers, into the archive, and to the secondaries.
    /// - Parameter isRaised: some zone has another serial than before.
    func accepted(_ zones: [(content: ZoneContent, serial: UInt32)], isRaised: Bool) async {
        await sources.serve(zones)
        guard isRaised else { return }
        for zone in zones { notifier?.announce(zone: zone.content.zone, serial: zone.serial) }
        let archive = archive
        await Task.detached {
            for zone in zones where archive.serials(of: zone.content.zone).last != zone.serial {
                archive.keep(zone.content, serial: zone.serial)
            }
            archive.retain(zones: zones.map(\.content.zone))
        }.value
    }

    func stop() { notifier?.stop() }
}
