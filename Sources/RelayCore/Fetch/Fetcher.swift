import ReflectorModel
import RelayWire

/// Where the streams of a node come from: which hosts may be asked for a stream, which paths fetch it, and what the
/// node remembers about parents.
///
/// ```
/// answer of the name servers ─▶ CandidateList ─▶ choosePaths ─▶ join ─▶ Subscribe
/// reply, heartbeat, silence, death of a link ─────────▲
/// ```
///
/// Its logic is in the extensions in this folder; its state changes only through the methods in this file.
struct Fetcher: ~Copyable {
    /// The newest answers of the name servers. Other parts read them when they follow the zone.
    private(set) var directory: ParentDirectory
    /// Which parents failed. The node reads it before it opens a link.
    private(set) var parents: ParentHistory
    /// An edge fetches for viewers, and only from parents in the DNS.
    let isEdge: Bool
    /// A set reflector may fetch from the stream's entrypoints too.
    let isSetReflector: Bool

    /// How long an entrypoint waits before it tries a witness again.
    private static let witnessPenalty: TimeSpan = .seconds(1)

    init(_ configuration: RelayConfiguration) {
        directory = ParentDirectory(countMax: configuration.lookUpsMax)
        // An entrypoint's parents are its witnesses. While it avoids one, that one takes it for dead.
        parents =
            configuration.role == .entrypoint
            ? ParentHistory(first: Self.witnessPenalty, most: Self.witnessPenalty)
            : ParentHistory(first: configuration.penalty, most: configuration.penaltyMax)
        isEdge = configuration.role == .edge
        isSetReflector = configuration.role != .edge && configuration.role != .entrypoint
    }

    // MARK: What the node reports

    /// Takes a new order of addresses. It follows from the addresses of this node's sockets.
    mutating func follow(_ order: AddressOrder) { directory.follow(order) }

    /// Restores an answer from the state file.
    mutating func restore(_ name: ReflectorName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        directory.restore(name, answer, at: now)
    }

    // MARK: Parents

    /// A node at this address has opened a link to this one, so datagrams pass in both directions; or an entrypoint is
    /// heard again after a silence.
    mutating func noteReachable(_ endpoint: Endpoint, at now: MonotonicInstant, _ core: inout NodeCore) {
        parents.forgive(endpoint, at: now)
        // A handshake with it that began while the path was cut would soon fail, and count against it.
        guard let link = core.links.parent(at: endpoint), link.tryAgain(at: now) else { return }
        core.clock.schedule(link, now)
    }

    mutating func noteFailure(of endpoint: Endpoint, at now: MonotonicInstant) { parents.fail(endpoint, at: now) }

    mutating func noteAlive(_ endpoint: Endpoint, at now: MonotonicInstant) { parents.wellNow(endpoint, at: now) }

    // MARK: Look-ups

    /// Notes that an answer is needed, and requests it if it is missing or old.
    ///
    /// - Parameter isCarrying: true if data depends on the answer, which is then kept, even across a restart.
    mutating func use(
        _ name: ReflectorName, isCarrying: Bool = false, at now: MonotonicInstant, _ core: inout NodeCore
    ) {
        let evicted = directory.evicted
        switch directory.use(name, isCarrying: isCarrying, at: now) {
        case .ask: ask(name, at: now, &core)
        case .full: core.context.count(.droppedLookUpTableFull)
        case .nothing: break
        }
        core.context.count(.lookUpsEvicted, directory.evicted &- evicted)
        if isCarrying { remember(name, &core) }
    }

    /// Looks the name up again at once, because the hosts of its answer failed.
    mutating func urge(_ name: ReflectorName, at now: MonotonicInstant, _ core: inout NodeCore) {
        if directory.urge(name, at: now) { ask(name, at: now, &core) }
    }

    /// Looks up every name whose renewal is due.
    mutating func renewAnswers(at now: MonotonicInstant, _ core: inout NodeCore) {
        for name in directory.dueRenewals(at: now) { ask(name, at: now, &core) }
    }

    /// Takes the result of a look-up. The caller then updates the affected streams.
    ///
    /// - Returns: true if the servers only confirm what was known.
    mutating func finish(
        _ name: ReflectorName, _ result: LookUpResult, at now: MonotonicInstant, _ core: inout NodeCore
    ) -> Bool {
        let outcome = core.context.withRandom { directory.finish(name, result, at: now, random: &$0) }
        core.clock.scheduleNode(max(directory.nextRenewal, now))
        if case .failed = result {
            core.context.count(.lookUpsFailed)
        } else {
            core.context.count(.lookUpsAnswered)
        }
        if outcome == .kept {
            core.context.count(.lookUpsKeptOld)
            core.context.post(.alarm(.parentsKept(name)))
        }
        if outcome == .changed, case .records(let answer) = result { warnOfFamilies(name, answer, &core) }
        remember(name, &core)
        return outcome == .confirmed
    }

    /// The parents that the zone's answer names, in the order in which this node asks them.
    mutating func parents(_ rank: ParentRank, _ region: RegionID, _ portset: PortsetID) -> [ParentCandidate] {
        directory.parents(rank, region, portset)
    }

    private func ask(_ name: ReflectorName, at now: MonotonicInstant, _ core: inout NodeCore) {
        core.context.count(.lookUpsAsked)
        core.context.post(.lookUp(name))
        core.clock.scheduleNode(now + ParentDirectory.restoredAfter)
    }

    /// Passes the answer to the state file if it belongs there and is not saved yet.
    private mutating func remember(_ name: ReflectorName, _ core: inout NodeCore) {
        if let answer = directory.takeUnsaved(name) { core.context.post(.remember(name, answer)) }
    }

    /// Reports the hosts that share no address family with this node, once per answer.
    private func warnOfFamilies(_ name: ReflectorName, _ answer: LookUpAnswer, _ core: inout NodeCore) {
        // An edge fetches from no entrypoint.
        if case .candidates = name, isEdge { return }
        let names = answer.unreachable(by: directory.addressOrder).filter { $0 != core.configuration.name }
        guard !names.isEmpty else { return }
        core.context.count(.hostsOfOtherFamily, UInt64(names.count))
        core.context.post(.alarm(.noCommonFamily(name, hosts: names, own: directory.addressOrder.own)))
    }

    /// The streams whose parents may change with the answer for `name`.
    func streams(concernedBy name: ReflectorName, _ core: borrowing NodeCore) -> [StreamState] {
        switch name {
        case .candidates(let wanted):
            guard let stream = core.streams[wanted] else { return [] }
            return [stream]
        case .parents(_, let region, let portset):
            guard region == core.configuration.region else { return [] }
            return core.streams.all.filter { $0.portset == portset || $0.portset == nil }
        case .rootSets, .announceTargets, .node: return []
        }
    }
}
