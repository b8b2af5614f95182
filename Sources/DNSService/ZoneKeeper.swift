import DNSAnswers
import Logging
import ReflectorModel
import ZoneCompiler

/// Turns generations of the files, and how hosts stand, into engines: each generation is taken whole, or refused whole
/// while the last good one goes on being served. Compiling takes long, so it happens here and not on a loop.
actor ZoneKeeper {
    /// What came of a change.
    struct Outcome: Sendable {
        /// What to answer from now on; nil while there has never been a good generation.
        var engine: AnswerEngine?
        var isAccepted: Bool
        var isSerialRaised: Bool
        /// What is served, for transfers.
        var zones: [(content: ZoneContent, serial: UInt32)] = []
    }

    private let directory: String
    private let store: SerialStore?
    private let archive: GenerationArchive
    private let identity: AnswerEngine.Identity
    private let logger: Logger
    private var served: [ServedZone] = []
    /// Read, but not served yet.
    private var ahead: [ZoneContent]?
    /// `ahead` is what an earlier run has kept, because the files are wrong.
    private var isAheadKept = false
    private(set) var standings = Standings()
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

    /// The files' content of what is served, without standings.
    var files: [ZoneContent] { served.map(\.files) }
    /// What is served: files, overrides and health.
    var contents: [ZoneContent] { served.map(\.content) }

    /// Whom to probe: every set reflector of every zone once.
    var probeTargets: [ProbeTarget] { Self.targets(of: served.map(\.files)) }

    /// Reads the directory for the first `update`, so that probes may go out before it. Where the files are wrong, the
    /// last good generation that an earlier run has kept stands in. Nil if there is none.
    func readAhead() -> [ProbeTarget]? {
        ahead = compile()
        if ahead == nil {
            let kept = archive.zones.compactMap { archive.latest(of: $0)?.content.withoutStandings }
            guard !kept.isEmpty else { return nil }
            (ahead, isAheadKept) = (kept, true)
            logger.critical(
                "the files are wrong: serving the last good generation that was kept",
                metadata: ["zones": "\(kept.map(\.zone).joined(separator: ","))"])
        }
        return ahead.map(Self.targets)
    }

    private static func targets(of contents: [ZoneContent]) -> [ProbeTarget] {
        var seen: Set<ProbeTarget> = []
        return contents.flatMap(\.probeTargets).filter { seen.insert($0).inserted }
    }

    /// Takes what has changed and makes an engine of it.
    ///
    /// - Parameters:
    ///   - readsFiles: read the directory again; else the files are those served.
    ///   - standings: how hosts stand now; nil for no change. One that changes no answer raises no serial, but `explain`
    ///     follows.
    ///   - unixTime: seconds since 1970.
    func update(readsFiles: Bool, standings new: Standings? = nil, unixTime: Int64) -> Outcome {
        if let new { standings = new }
        let isKept = isAheadKept
        let compiled = readsFiles ? ahead ?? compile() : nil
        (ahead, isAheadKept) = (nil, false)
        let isTaken = compiled != nil && !isKept
        guard let files = compiled ?? (served.isEmpty ? nil : served.map(\.files)) else {
            return Outcome(engine: nil, isAccepted: false, isSerialRaised: false)
        }
        do {
            let isRaised = try settle(files, unixTime: unixTime)
            if isTaken {
                problems = []
                generation += 1
            }
            return Outcome(
                engine: engine, isAccepted: isTaken || !readsFiles, isSerialRaised: isRaised, zones: zones)
        } catch {
            refuse(["\(directory): \(error)"])
            return Outcome(engine: served.isEmpty ? nil : engine, isAccepted: false, isSerialRaised: false)
        }
    }

    /// The directory's content; nil, and `problems` say why, if the generation is refused.
    private func compile() -> [ZoneContent]? {
        let compiled: CompiledZones
        do {
            compiled = try ZoneDirectory.compile(directory).compiled
        } catch {
            return refuse(["\(error)"])
        }
        for problem in compiled.problems where problem.severity != .error { logger.warning("\(problem)") }
        guard !compiled.hasErrors else { return refuse(compiled.errors.map(\.description)) }
        guard !compiled.contents.isEmpty else { return refuse(["\(directory): no .zone file"]) }
        return compiled.contents
    }

    /// Serves `files` with the standings of now. True if a serial was raised or a zone has gone.
    private func settle(_ files: [ZoneContent], unixTime: Int64) throws(ZoneImage.Invalid) -> Bool {
        var next: [ServedZone] = []
        var raised: [ServedZone] = []
        for content in files {
            let before = served.first { $0.files.zone == content.zone }
            let kept = before == nil ? store?.load(zone: content.zone) : nil
            let zone = try ServedZone(content, standings: standings, before: before, kept: kept, unixTime: unixTime)
            if zone.entry != before?.entry, zone.entry != kept { raised.append(zone) }
            next.append(zone)
        }
        let isChanged = !raised.isEmpty || next.count != served.count
        if isChanged || generation == 0 { servedSince = unixTime }
        for zone in raised {
            let causes = Set(zone.entry.sets.filter { $0.serial == zone.entry.serial }.map(\.cause)).sorted()
            logger.info(
                "zone",
                metadata: [
                    "name": "\(zone.files.zone)", "serial": "\(zone.entry.serial)",
                    "sets": "\(causes.prefix(3).joined(separator: "; "))",
                ])
            do {
                try store?.save(zone.entry, zone: zone.files.zone)
            } catch {
                logger.error("serial not kept: \(error)")
            }
        }
        served = next
        return isChanged
    }

    private var zones: [(content: ZoneContent, serial: UInt32)] { served.map { ($0.content, $0.image.serial) } }

    @discardableResult
    private func refuse(_ reasons: [String]) -> [ZoneContent]? {
        for reason in reasons { logger.error("\(reason)") }
        logger.error(
            "generation refused", metadata: ["problems": "\(reasons.count)", "serving": "\(serialsText)"])
        problems = reasons
        refusals += 1
        return nil
    }

    private var engine: AnswerEngine {
        AnswerEngine(
            zones: served.map(\.image), identity: identity, problems: problems, notes: standings.notes,
            servedSince: servedSince)
    }

    private var serialsText: String {
        served.isEmpty ? "nothing" : served.map { "\($0.files.zone)/\($0.image.serial)" }.joined(separator: ",")
    }

    var status: NameServer.Status {
        NameServer.Status(
            zones: served.map {
                NameServer.Status.Zone(name: $0.files.zone, serial: $0.image.serial, rules: $0.image.ruleCount)
            },
            servedSince: servedSince, generation: generation, refusals: refusals, problems: problems,
            probing: standings.probing.description, hosts: served.flatMap(\.hostStatus),
            overrides: standings.overrides.map { NameServer.Status.Override($0) })
    }
}
