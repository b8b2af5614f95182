import DNSAnswers
import Logging
import ReflectorModel
import ZoneCompiler

/// The generations that transfers are made from: those served now, and those in the archive. The aliased form of a
/// generation (`AliasedZone`) is built at its first use, off the loops, and cached.
actor TransferSources {
    /// Maximum number of cached aliased forms, in addition to the served ones.
    private static let olderMax = 4

    private struct Key: Hashable {
        var zone: String
        var serial: UInt32
    }

    private typealias Form = Task<Result<AliasedZone, AliasedZone.TooLarge>, Never>

    private let archive: GenerationArchive
    private let recordsMax: Int
    private let logger: Logger
    private var served: [String: (content: ZoneContent, serial: UInt32)] = [:]
    private var warned: ContinuousClock.Instant?
    /// Aliased forms, least recently used first.
    private var forms: [(key: Key, form: Form)] = []

    init(archive: GenerationArchive, recordsMax: Int, logger: Logger) {
        self.archive = archive
        self.recordsMax = recordsMax
        self.logger = logger
    }

    /// Sets the zones that are served from now on.
    func serve(_ zones: [(content: ZoneContent, serial: UInt32)]) {
        served = [:]
        for zone in zones { served[zone.content.zone] = zone }
    }

    /// What to send for an allowed request.
    enum Plan: Sendable {
        case send(OutgoingTransfer.Kind)
        /// IXFR was requested, and the whole zone is sent.
        case fallback(OutgoingTransfer.Kind)
        /// Too many records; gives the reason.
        case tooLarge(String)
        /// The zone is no longer served.
        case unknown
    }

    /// - Parameter clientSerial: serial of an IXFR; nil for an AXFR.
    func plan(zone: String, clientSerial: UInt32?) async -> Plan {
        guard let current = served[zone] else { return .unknown }
        let new: AliasedZone
        switch await form(current.content, serial: current.serial).value {
        case .success(let form): new = form
        case .failure(let error):
            logger.error("no transfer", metadata: ["why": "\(error)"])
            return .tooLarge(error.description)
        }
        guard let clientSerial else { return .send(.whole(new)) }
        guard ZoneSerial.isAfter(new.serial, clientSerial) else {
            if new.serial != clientSerial { warn(zone, ours: new.serial, theirs: clientSerial) }
            return .send(.nothing(new))
        }
        guard let old = await older(zone, clientSerial) else { return .fallback(.whole(new)) }
        // The records of both transfers have about the same size, so their numbers are compared. The incremental
        // transfer contains four SOAs, the whole zone two.
        let changes = await Task.detached {
            ZoneDifference.count(from: old, to: new, limit: new.recordCount)
        }.value
        return changes + 4 < new.recordCount + 1 ? .send(.changes(from: old, to: new)) : .fallback(.whole(new))
    }

    /// A secondary with a higher serial transfers nothing from us, so this logs an error, at most once a minute.
    private func warn(_ zone: String, ours: UInt32, theirs: UInt32) {
        guard warned.map({ ContinuousClock.now - $0 > .seconds(60) }) ?? true else { return }
        warned = .now
        logger.error(
            "a secondary has a higher serial than ours and ignores this server; raise ours: reflector zone serial --raise",
            metadata: ["zone": "\(zone)", "ours": "\(ours)", "secondary": "\(theirs)"])
    }

    private func older(_ zone: String, _ serial: UInt32) async -> AliasedZone? {
        let key = Key(zone: zone, serial: serial)
        if let known = forms.first(where: { $0.key == key }) { return try? await known.form.value.get() }
        let archive = archive
        guard let content = await Task.detached(operation: { archive.content(of: zone, serial: serial) }).value else {
            return nil
        }
        return try? await form(content, serial: serial).value.get()
    }

    private func form(_ content: ZoneContent, serial: UInt32) -> Form {
        let key = Key(zone: content.zone, serial: serial)
        if let at = forms.firstIndex(where: { $0.key == key }) {
            let known = forms.remove(at: at)
            forms.append(known)
            return known.form
        }
        let recordsMax = recordsMax
        let form = Form.detached {
            do throws(AliasedZone.TooLarge) {
                return .success(try AliasedZone(content, serial: serial, recordsMax: recordsMax))
            } catch {
                return .failure(error)
            }
        }
        forms.append((key, form))
        // Forms that are being sent stay alive with their transfers.
        while forms.count > Self.olderMax + served.count { forms.removeFirst() }
        return form
    }
}
