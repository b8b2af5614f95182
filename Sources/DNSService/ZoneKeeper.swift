import DNSAnswers
import Logging
import ReflectorModel
import ZoneCompiler

/// Turns generations of the files into engines: each is taken whole, or refused whole while the last good one goes on
/// being served. Compiling takes long, so it happens here and not on a loop.
actor ZoneKeeper {
    /// What came of looking at the files.
    struct Outcome: Sendable {
        /// What to answer from now on; nil while there has never been a good generation.
        var engine: AnswerEngine?
        var isAccepted: Bool
        var isSerialRaised: Bool
        /// What is served, for transfers.
        var zones: [(content: ZoneContent, serial: UInt32)] = []
    }

    private struct Served {
        var content: ZoneContent
        var digest: String
        var image: ZoneImage
    }

    private let directory: String
    private let store: SerialStore?
    private let archive: GenerationArchive
    private let identity: AnswerEngine.Identity
    private let logger: Logger
    private var served: [Served] = []
    private var servedSince: Int64 = 0
    private(set) var problems: [String] = []
    private(set) var generation = 0
    private(set) var refusals = 0

    init(
        directory: String, store: SerialStore?, archive: GenerationArchive, identity: AnswerEngine.Identity,
        logger: Logger
    ) {
        self.directory = directory
        self.store = store
        self.archive = archive
        self.identity = identity
        self.logger = logger
    }

    /// Reads the directory and makes an engine of it.
    /// - Parameter unixTime: seconds since 1970.
    func reload(unixTime: Int64) -> Outcome {
        let compiled: CompiledZones
        do {
            compiled = try ZoneDirectory.compile(directory).compiled
        } catch {
            return refuse(["\(error)"])
        }
        for problem in compiled.problems where problem.severity != .error { logger.warning("\(problem)") }
        guard !compiled.hasErrors else { return refuse(compiled.errors.map(\.description)) }
        guard !compiled.contents.isEmpty else { return refuse(["\(directory): no .zone file"]) }
        do {
            return try accept(compiled.contents, unixTime: unixTime)
        } catch {
            return refuse(["\(directory): \(error)"])
        }
    }

    private func accept(_ contents: [ZoneContent], unixTime: Int64) throws(ZoneImage.Invalid) -> Outcome {
        var next: [Served] = []
        var raised: [(zone: String, entry: SerialStore.Entry)] = []
        for content in contents {
            let digest = ContentDigest(content).description
            let before = served.first { $0.content.zone == content.zone }
            if let before, before.content == content.stamped(after: before.content, serial: before.image.serial) {
                next.append(before)
                continue
            }
            let last =
                before.map { SerialStore.Entry(serial: $0.image.serial, digest: $0.digest) }
                ?? store?.load(zone: content.zone)
            var serial = last?.serial ?? 0
            if last?.digest != digest {
                serial = ZoneSerial.next(after: last?.serial, file: content.fileSerial, unixTime: unixTime)
                raised.append((content.zone, .init(serial: serial, digest: digest)))
            }
            let stamped = content.stamped(
                after: before?.content ?? archive.latest(of: content.zone)?.content, serial: serial)
            next.append(Served(content: stamped, digest: digest, image: try ZoneImage(stamped, serial: serial)))
        }
        let isChanged = !raised.isEmpty || next.count != served.count
        if isChanged || generation == 0 { servedSince = unixTime }
        for (zone, entry) in raised {
            logger.info("zone", metadata: ["name": "\(zone)", "serial": "\(entry.serial)"])
            do { try store?.save(entry, zone: zone) } catch { logger.error("serial not kept: \(error)") }
        }
        served = next
        problems = []
        generation += 1
        return Outcome(engine: engine, isAccepted: true, isSerialRaised: isChanged, zones: zones)
    }

    /// Serves the last good generation that an earlier run has kept, when the files are wrong at the start. Nil if
    /// none can be read.
    func restore(unixTime: Int64) -> Outcome? {
        var restored: [Served] = []
        for zone in archive.zones {
            guard let (content, serial) = archive.latest(of: zone),
                let image = try? ZoneImage(content, serial: serial)
            else { continue }
            restored.append(Served(content: content, digest: ContentDigest(content).description, image: image))
        }
        guard served.isEmpty, !restored.isEmpty else { return nil }
        served = restored
        servedSince = unixTime
        logger.critical(
            "the files are wrong: serving the last good generation that was kept", metadata: ["zones": "\(serialsText)"]
        )
        return Outcome(engine: engine, isAccepted: false, isSerialRaised: false, zones: zones)
    }

    private var zones: [(content: ZoneContent, serial: UInt32)] { served.map { ($0.content, $0.image.serial) } }

    private func refuse(_ reasons: [String]) -> Outcome {
        for reason in reasons { logger.error("\(reason)") }
        logger.error(
            "generation refused", metadata: ["problems": "\(reasons.count)", "serving": "\(serialsText)"])
        problems = reasons
        refusals += 1
        return Outcome(engine: served.isEmpty ? nil : engine, isAccepted: false, isSerialRaised: false)
    }

    private var engine: AnswerEngine {
        AnswerEngine(zones: served.map(\.image), identity: identity, problems: problems, servedSince: servedSince)
    }

    private var serialsText: String {
        served.isEmpty ? "nothing" : served.map { "\($0.content.zone)/\($0.image.serial)" }.joined(separator: ",")
    }

    var status: NameServer.Status {
        NameServer.Status(
            zones: served.map {
                NameServer.Status.Zone(name: $0.content.zone, serial: $0.image.serial, rules: $0.image.ruleCount)
            },
            servedSince: servedSince, generation: generation, refusals: refusals, problems: problems)
    }
}

extension ZoneContent {
    /// Serial in the SOA as the file has it; 0 without one.
    var fileSerial: UInt32 {
        guard let data = records.first(where: { $0.type == 6 })?.data, data.count >= 22 else { return 0 }
        return data[(data.count - 20)..<(data.count - 16)].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
