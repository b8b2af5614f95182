import DNSAnswers
import ReflectorModel
import ZoneCompiler

/// One zone as it is served: the files' content, the host states, the serial, and the image made from them.
struct ServedZone {
    /// As compiled from the files, without host states.
    let files: ZoneContent
    /// Files, overrides, health and leads, and the last change of each set region's answer and of each lead.
    let content: ZoneContent
    /// Serial and fingerprint.
    let entry: SerialStore.Entry
    let image: ZoneImage
    private let digest: ContentDigest
    /// Number of classes that should have been kept after an edit, but were dropped because there were too many.
    let outlivingDropped: Int

    /// What a generation depends on besides its content and the previous generation.
    struct Context {
        /// The highest serial of the zone that other servers are known to have.
        var floor: UInt32?
        /// An operator requested a serial above this one.
        var exceeded: UInt32?
        /// The last generation that an earlier process served.
        var previous: ZoneContent?
        /// Secondaries may transfer the zone.
        var isTransferred = false
        /// Maximum number of records of a zone that can be transferred.
        var recordsMax = AliasedZone.recordsMax
        /// Kinds of files beside the `.zone` file; nil: the same as in the previous generation.
        var sidecars: Set<String>?
    }

    /// - Parameters:
    ///   - before: the zone as served so far.
    ///   - kept: the stored entry of an earlier process, used if `before` is nil.
    ///   - context: what else determines the serial and the aliases that are kept.
    ///   - unixTime: seconds since 1970.
    init(
        _ files: ZoneContent, hostStates: HostStates, before: ServedZone?, kept: SerialStore.Entry?,
        context: Context = Context(), unixTime: Int64
    ) throws(ZoneImage.Invalid) {
        let isSameFiles = before?.files == files
        var content = hostStates.applied(to: files)
        var sets = content.setRegions.map { SetChange($0, in: content) }
        let fileDigest = if let before, isSameFiles { before.digest } else { ContentDigest(files) }
        var whole = fileDigest
        whole.add(sets)
        whole.add(content.election)
        let last = before?.entry ?? kept
        var serial = last?.serial ?? 0
        var highest = last?.serial
        if let floor = context.floor, highest.map({ ZoneSerial.isAfter(floor, $0) }) ?? true { highest = floor }
        var isAskedFor = false
        if let exceeded = context.exceeded, highest.map({ !ZoneSerial.isAfter($0, exceeded) }) ?? true {
            (highest, isAskedFor) = (exceeded, true)
        }
        let previous = before?.content ?? context.previous
        // If secondaries have a generation that we no longer know, a difference from it would be wrong.
        let isForgotten = (last?.outlivingClasses ?? 0) > 0 && previous?.outliving == nil
        let isRaised = last?.digest != whole.description || highest != last?.serial || isForgotten || isAskedFor
        if isRaised { serial = ZoneSerial.next(after: highest, file: files.fileSerial, unixTime: unixTime) }
        if isRaised, context.isTransferred, let previous {
            let outliving = OutlivingAliases.outliving(
                previous, in: files, at: unixTime, recordsMax: context.recordsMax)
            content.outliving = outliving.outliving
            outlivingDropped = outliving.dropped
        } else {
            content.outliving = isRaised ? nil : previous?.outliving
            outlivingDropped = 0
        }
        let lastSets = Dictionary((last?.sets ?? []).map { ($0.name, $0) }) { first, _ in first }
        let regionsBefore = Dictionary((before?.content.setRegions ?? []).map { ($0.name, $0) }) { first, _ in first }
        for number in sets.indices {
            if let same = lastSets[sets[number].name], same.digest == sets[number].digest {
                sets[number] = same
            } else {
                sets[number].serial = serial
                let old = regionsBefore[sets[number].name].flatMap { region in before.map { ($0.content, region) } }
                sets[number].cause = SetChange.cause(before: old, after: (content, content.setRegions[number]))
            }
            content.setRegions[number].cause = sets[number].cause
            content.setRegions[number].changedSerial = sets[number].serial
        }
        content.election.stamp(serial, after: before?.content.election)
        self.files = files
        self.content = content
        digest = fileDigest
        entry = SerialStore.Entry(
            serial: serial, digest: whole.description, sets: sets, sidecars: context.sidecars ?? last?.sidecars ?? [],
            outlivingClasses: content.outliving?.classes.count ?? 0,
            revocations: max(last?.revocations ?? 0, files.revocations?.sequence ?? 0))
        if let before, isSameFiles, before.content == content, before.entry.serial == serial {
            image = before.image
        } else {
            let sharing = before.flatMap { $0.files.hasSameMap(as: files) ? $0.image : nil }
            image = try ZoneImage(content, serial: serial, sharing: sharing)
        }
    }

    /// Every stream that its first candidate does not lead.
    var leadStatus: [NameServer.Status.Lead] {
        content.election.leads.map { lead in
            NameServer.Status.Lead(
                zone: content.zone, stream: lead.stream, host: lead.host.map { content.hosts[$0].name },
                serial: lead.changedSerial)
        }
    }

    /// Every set reflector, once for each of its set regions.
    var hostStatus: [NameServer.Status.Host] {
        content.setRegions.flatMap { region in
            let answering = content.answering(region).members
            return region.members.filter { content.hosts.indices.contains($0.host) }.map { member in
                let answered = answering.first { $0.host == member.host && $0.port == member.port }
                return NameServer.Status.Host(
                    zone: content.zone, set: region.name, name: content.hosts[member.host].name, port: member.port,
                    health: member.health.description, weight: answered.map { Int($0.weight) })
            }
        }
    }
}

extension ZoneContent.Election {
    /// Gives each lead the serial of the generation in which it began.
    fileprivate mutating func stamp(_ serial: UInt32, after before: ZoneContent.Election?) {
        let known = Dictionary((before?.leads ?? []).map { ($0.stream, $0) }) { first, _ in first }
        for index in leads.indices {
            let old = known[leads[index].stream]
            leads[index].changedSerial = old?.host == leads[index].host ? old?.changedSerial ?? serial : serial
        }
    }
}

extension ZoneContent {
    /// True if the two contents can share a rule index.
    fileprivate func hasSameMap(as other: ZoneContent) -> Bool {
        defaults == other.defaults && rules == other.rules && edgeRegions == other.edgeRegions
            && setRegions.map(\.name) == other.setRegions.map(\.name)
            && setRegions.map(\.id) == other.setRegions.map(\.id)
    }

    /// SOA serial in the file; 0 without an SOA.
    fileprivate var fileSerial: UInt32 {
        guard let data = records.first(where: { $0.type == 6 })?.data, data.count >= 22 else { return 0 }
        return data[(data.count - 20)..<(data.count - 16)].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
