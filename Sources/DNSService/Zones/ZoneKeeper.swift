import DNSAnswers
import Logging
import ReflectorModel
import ZoneCompiler

/// Makes answer engines from the files and the host states. A generation of the files is accepted or refused as a
/// whole; while it is refused, the last good one is served. Compiling is slow, so it runs here and not on a loop.
actor ZoneKeeper {
    /// The result of a change.
    struct Outcome: Sendable {
        /// The new engine; nil until there is a good generation.
        var engine: AnswerEngine?
        var isAccepted: Bool
        var isSerialRaised: Bool
        /// The zones that are served, for transfers.
        var zones: [(content: ZoneContent, serial: UInt32)] = []
    }

    private let directory: String
    private let store: SerialStore?
    private let archive: GenerationArchive
    private let identity: AnswerEngine.Identity
    private let logger: Logger
    private let isTransferred: Bool
    private let recordsMax: Int
    private var served: [ServedZone] = []
    /// Content that has been read, but is not served yet.
    private var ahead: [ZoneContent]?
    /// Kinds of files beside the `.zone` files, as last read.
    private var sidecars: [String: Set<String>] = [:]
    /// True if `sidecars` belongs to the generation that is being processed.
    private var isSidecarsRead = false
    /// The highest serials that other servers are known to have, by zone; only zones that are served.
    private var floors: [String: UInt32] = [:]
    /// Entries of removed zones, which may come back. The oldest is evicted.
    private var gone: [(zone: String, entry: SerialStore.Entry)] = []
    /// Zones whose serial could not be written.
    private var unsaved: Set<String> = []
    /// Serials of operators' raise requests that are done, by zone: we may lack permission to remove the request files.
    private var raisesDone: [String: UInt32] = [:]
    /// Number of failed writes of serials.
    private(set) var serialsNotKept: UInt64 = 0
    private static let goneMax = 64
    private static let readingsMax = 3
    /// True if `ahead` is the stored generation of an earlier run, because the files have errors.
    private var isAheadKept = false
    private(set) var hostStates = HostStates()
    private var servedSince: Int64 = 0
    private(set) var problems: [String] = []
    private(set) var generation = 0
    private(set) var refusals = 0

    init(
        directory: String, store: SerialStore?, archive: GenerationArchive, identity: AnswerEngine.Identity,
        isTransferred: Bool = false, recordsMax: Int = AliasedZone.recordsMax, logger: Logger
    ) {
        self.isTransferred = isTransferred
        self.recordsMax = recordsMax
        self.directory = directory
        self.store = store
        self.archive = archive
        self.identity = identity
        self.logger = logger
    }

    /// The files' content of the served zones, without host states.
    var files: [ZoneContent] { served.map(\.files) }
    /// The content of the served zones: files, overrides and health.
    var contents: [ZoneContent] { served.map(\.content) }

    /// Reads the directory for the first `update`, so that probing can start before that update. If the files have
    /// errors, the last good generation that an earlier run stored is used instead. False if there is none.
    func readAhead() -> Bool {
        ahead = compile()
        if ahead == nil {
            let kept = archive.zones.compactMap { archive.latest(of: $0)?.content.withoutHostStates }
            guard !kept.isEmpty else { return false }
            (ahead, isAheadKept) = (kept, true)
            logger.critical(
                "the files have errors: serving the last good generation that was stored",
                metadata: ["zones": "\(kept.map(\.zone).joined(separator: ","))"])
        }
        return ahead != nil
    }

    /// The content that has been read but is not served yet.
    var contentsAhead: [ZoneContent] { ahead ?? [] }

    /// Whether an earlier run has left a serial of every zone.
    var isStateComplete: Bool {
        guard let store else { return false }
        return contentsAhead.allSatisfy { if case .entry = store.load(zone: $0.zone) { true } else { false } }
    }

    /// Records the serials of other servers. True if one is above ours, so that `update` must raise ours.
    func note(_ answers: [SerialInquiry.Answer]) -> Bool {
        var isBehind = false
        for answer in answers {
            let zone = answer.question.zone
            if let known = floors[zone], !ZoneSerial.isAfter(answer.serial, known) { continue }
            floors[zone] = answer.serial
            guard let own = served.first(where: { $0.files.zone == zone })?.entry.serial else { continue }
            if ZoneSerial.isAfter(answer.serial, own) { isBehind = true }
        }
        return isBehind
    }

    /// True if an operator's request for a higher serial is not done yet.
    var asksForRaise: Bool {
        guard let store else { return false }
        return served.contains { zone in
            store.raise(zone: zone.files.zone).map { raisesDone[zone.files.zone] != $0 } ?? false
        }
    }

    /// Applies changes and makes an engine from the result.
    ///
    /// - Parameters:
    ///   - readsFiles: read the directory again; otherwise the files that are served are used.
    ///   - hostStates: the current host states; nil if they have not changed. A change that affects no answer raises no
    ///     serial, but `explain` shows it.
    ///   - unixTime: seconds since 1970.
    func update(readsFiles: Bool, hostStates new: HostStates? = nil, unixTime: Int64) -> Outcome {
        if let new { hostStates = new }
        let isKept = isAheadKept
        let compiled = readsFiles ? ahead ?? compile() : nil
        (ahead, isAheadKept) = (nil, false)
        let isTaken = compiled != nil && !isKept
        isSidecarsRead = isTaken
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

    /// The directory's content; nil if the generation is refused, with the reasons in `problems`.
    private func compile() -> [ZoneContent]? {
        let read: ZoneGeneration
        do {
            read = try compileUndisturbed()
        } catch {
            return refuse(["\(error)"])
        }
        let compiled = read.compiled
        for problem in compiled.problems where problem.severity != .error { logger.warning("\(problem)") }
        guard !compiled.hasErrors else { return refuse(compiled.errors.map(\.description)) }
        guard !compiled.contents.isEmpty else { return refuse(["\(directory): no .zone file"]) }
        let lost = missingSidecars(read.sidecars) + compiled.contents.compactMap(rollback)
        guard lost.isEmpty else { return refuse(lost) }
        sidecars = read.sidecars
        return compiled.contents
    }

    /// Reads the folder again if a file changed while it was read: an editor that truncates a file before writing
    /// leaves it empty for a short time, and an empty map is valid.
    private func compileUndisturbed() throws -> ZoneGeneration {
        for _ in 1..<Self.readingsMax {
            let before = FolderSignature(directory)
            let read = try? ZoneDirectory.compile(directory)
            if let read, FolderSignature(directory) == before { return read }
        }
        return try ZoneDirectory.compile(directory)
    }

    /// The sidecars that a zone had and that are now missing, as problems. Without its sidecar a zone loses the whole
    /// map, or all streams. That is usually an accident (`rm`, an unfinished copy), and `zone check` cannot detect it.
    private func missingSidecars(_ found: [String: Set<String>]) -> [String] {
        found.sorted { $0.key < $1.key }.flatMap { zone, kinds in
            (lastEntry(zone)?.sidecars ?? []).subtracting(kinds).sorted().map { kind in
                let lost = "\(zone).\(kind):1:1: was there and is gone; put it back"
                // Without the file, a node that starts without state would accept every revoked certificate.
                if kind == "revocations" { return lost + "; to revoke nothing, sign a list without certificates" }
                return lost + ", or, to remove everything in it, run "
                    + "`reflector zone accept \(directory)/\(zone).\(kind)`, which leaves an empty file"
            }
        }
    }

    /// The entry of a zone that is served, or was served last.
    private func lastEntry(_ zone: String) -> SerialStore.Entry? {
        if let entry = served.first(where: { $0.files.zone == zone })?.entry { return entry }
        if let entry = gone.first(where: { $0.zone == zone })?.entry { return entry }
        guard let store, case .entry(let kept) = store.load(zone: zone) else { return nil }
        return kept
    }

    private func rollback(_ content: ZoneContent) -> String? {
        RevocationRollback.problem(
            content, served: served.first { $0.files.zone == content.zone }?.files,
            highest: lastEntry(content.zone)?.revocations ?? 0)
    }

    /// Serves `files` with the current host states. True if a zone's stored entry or the number of zones has changed.
    private func settle(_ files: [ZoneContent], unixTime: Int64) throws(ZoneImage.Invalid) -> Bool {
        var next: [ServedZone] = []
        var raised: [ServedZone] = []
        for content in files {
            let before = served.first { $0.files.zone == content.zone }
            let kept = before == nil ? self.kept(content.zone) : nil
            var context = ServedZone.Context()
            context.floor = self.floor(content.zone, isFirst: before == nil)
            context.exceeded = store?.raise(zone: content.zone)
            context.previous = kept.flatMap { archive.content(of: content.zone, serial: $0.serial) }
            context.isTransferred = isTransferred
            context.recordsMax = recordsMax
            context.sidecars = isSidecarsRead ? sidecars[content.zone] ?? [] : nil
            let zone = try ServedZone(
                content, hostStates: hostStates, before: before, kept: kept, context: context, unixTime: unixTime)
            tell(zone, last: (before?.entry ?? kept)?.serial, context)
            if zone.entry != before?.entry, zone.entry != kept { raised.append(zone) }
            if let list = zone.files.revocations, list.sequence != before?.files.revocations?.sequence {
                logger.notice(
                    "revocation list",
                    metadata: [
                        "name": "\(content.zone)", "list": "\(list.sequence)",
                        "revoked": "\(list.serials)",
                    ])
            }
            next.append(zone)
        }
        for zone in served where !files.contains(where: { $0.zone == zone.files.zone }) {
            logger.warning(
                "zone is no longer served: its files were removed",
                metadata: ["name": "\(zone.files.zone)", "serial": "\(zone.entry.serial)"])
            gone.removeAll { $0.zone == zone.files.zone }
            gone.append((zone.files.zone, zone.entry))
            if gone.count > Self.goneMax { gone.removeFirst() }
        }
        floors = floors.filter { entry in files.contains { $0.zone == entry.key } }
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
        }
        served = next
        save(raised)
        for zone in served {
            guard let store, let wish = store.raise(zone: zone.files.zone) else { continue }
            raisesDone[zone.files.zone] = wish
            store.raiseIsDone(zone: zone.files.zone)
        }
        return isChanged
    }

    /// The stored entry of a zone that is not served now.
    private func kept(_ zone: String) -> SerialStore.Entry? {
        if let entry = gone.first(where: { $0.zone == zone })?.entry { return entry }
        switch store?.load(zone: zone) {
        case .entry(let entry): return entry
        case .damaged(let why):
            logger.error(
                "the stored serial can't be used: using stored generations, the secondaries or the clock instead",
                metadata: ["zone": "\(zone)", "why": "\(why)"])
            return nil
        case .absent, nil: return nil
        }
    }

    /// The highest serial that the zone is known to have had: on other servers, and in stored generations.
    private func floor(_ zone: String, isFirst: Bool) -> UInt32? {
        let archived = isFirst ? archive.serials(of: zone).last : nil
        return [floors[zone], archived].compactMap { $0 }.reduce(UInt32?.none) { highest, serial in
            guard let highest else { return serial }
            return ZoneSerial.isAfter(serial, highest) ? serial : highest
        }
    }

    private func tell(_ zone: ServedZone, last: UInt32?, _ context: ServedZone.Context) {
        if zone.outlivingDropped > 0 {
            logger.warning(
                "too many classes outlive edits: resolvers may deny names until their TTL has passed; edit less often",
                metadata: ["zone": "\(zone.files.zone)", "left_out": "\(zone.outlivingDropped)"])
        }
        if let wish = context.exceeded {
            logger.notice(
                "a higher serial was requested",
                metadata: ["zone": "\(zone.files.zone)", "above": "\(wish)", "serial": "\(zone.entry.serial)"])
        }
        guard let floor = context.floor, let last, ZoneSerial.isAfter(floor, last) else { return }
        logger.warning(
            "the serial was behind what others have, and is raised: was the state lost, or restored from a backup?",
            metadata: [
                "zone": "\(zone.files.zone)", "was": "\(last)", "others": "\(floor)", "serial": "\(zone.entry.serial)",
            ])
    }

    /// Stores serials, including those whose earlier writes failed.
    private func save(_ zones: [ServedZone]) {
        guard let store else { return }
        let names = unsaved.union(zones.map(\.files.zone))
        for zone in served where names.contains(zone.files.zone) {
            do {
                try store.save(zone.entry, zone: zone.files.zone)
                if unsaved.remove(zone.files.zone) != nil {
                    logger.notice("serial kept after earlier failures", metadata: ["zone": "\(zone.files.zone)"])
                }
            } catch {
                serialsNotKept &+= 1
                if unsaved.insert(zone.files.zone).inserted {
                    logger.error(
                        "serial not kept; free disk space or fix permissions, or a restart may serve a lower one",
                        metadata: ["zone": "\(zone.files.zone)", "why": "\(error)"])
                }
            }
        }
        unsaved.formIntersection(served.map(\.files.zone))
    }

    /// Retries failed writes.
    func retrySaves() {
        if !unsaved.isEmpty { save([]) }
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
            zones: served.map(\.image), identity: identity, problems: problems, notes: hostStates.notes,
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
            probing: hostStates.probing.description, hosts: served.flatMap(\.hostStatus),
            overrides: hostStates.overrides.hosts.map { NameServer.Status.Override($0) },
            entrypointOverrides: hostStates.overrides.entrypoints.map { NameServer.Status.EntrypointOverride($0) },
            leads: served.flatMap(\.leadStatus))
    }
}
