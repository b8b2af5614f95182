import HeapModule
import ReflectorModel

/// What the name servers last said, by name: look-ups under way, answers with their ages, last good parents. Answers
/// are renewed at a uniformly random moment in the second half of their TTL, so that edges do not come in step.
struct ParentDirectory {
    struct Entry {
        var answer: LookUpAnswer?
        /// The zone says that there is nothing (NXDOMAIN, NODATA), and there never was since the start.
        var isAbsent = false
        /// Came from the state file; the servers have not confirmed it.
        var isRestored = false
        var asking = false
        var askedAt: MonotonicInstant = .zero
        var renewAt: MonotonicInstant = .zero
        var usedAt: MonotonicInstant
        var failures = 0
        /// In order of first use, from 0.
        var place: Int
        /// Raised whenever the hosts of the answer change.
        var generation: UInt64 = 0
    }

    /// What came of an answer.
    enum Outcome: Equatable {
        case unchanged
        case changed
        /// A name that used to answer does no longer; its old answer stays.
        case kept
        case failed
    }

    /// A name nobody has used for this long is no longer renewed.
    static let idleMax: TimeSpan = .seconds(60)
    /// No shell takes longer to answer.
    static let answerMax: TimeSpan = .seconds(30)
    /// A restored answer serves when the servers have been silent this long.
    static let restoredAfter: TimeSpan = .milliseconds(600)

    private var entries: [ReflectorName: Entry] = [:]
    /// In order of first use.
    private var order: [ReflectorName] = []
    /// What is to be renewed, soonest first. One that is not its entry's `renewAt` any more is stale.
    private var renewals = Heap<Renewal>()
    /// Highest serial seen in an answer.
    private(set) var serial: UInt32?
    let countMax: Int

    init(countMax: Int) { self.countMax = countMax }

    subscript(_ name: ReflectorName) -> Entry? { entries[name] }

    private struct Renewal: Comparable {
        var at: MonotonicInstant
        /// Place in `order`: what is due at one instant is asked in order of first use.
        var place: Int
        static func < (a: Renewal, b: Renewal) -> Bool { (a.at, a.place) < (b.at, b.place) }
    }

    /// When the next answer is due for renewal; distant when none is.
    var nextRenewal: MonotonicInstant { renewals.min?.at ?? .distantFuture }

    /// Takes the last good answer from the state file.
    mutating func restore(_ name: ReflectorName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        guard entries[name] == nil, order.count < countMax else { return }
        var entry = Entry(usedAt: now, place: order.count)
        entry.answer = answer
        entry.isRestored = true
        entry.renewAt = .distantFuture
        entries[name] = entry
        order.append(name)
    }

    /// Notes that a name is needed. True if the shell must be asked to look it up now.
    mutating func use(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard var entry = entries[name] else {
            guard order.count < countMax else { return false }
            var entry = Entry(usedAt: now, place: order.count)
            entry.asking = true
            entry.askedAt = now
            entries[name] = entry
            order.append(name)
            return true
        }
        entry.usedAt = now
        // A question that the shell never answered is asked again.
        let isFree = !entry.asking || now - entry.askedAt >= Self.answerMax
        let ask = isFree && (entry.asking || entry.renewAt <= now || entry.isRestored && entry.failures == 0)
        if ask {
            entry.asking = true
            entry.askedAt = now
        }
        entries[name] = entry
        return ask
    }

    /// Asks again at once, because what the answer led to has failed. At most once a second.
    mutating func urge(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard var entry = entries[name], !entry.asking, now - entry.askedAt >= .seconds(1) else { return false }
        entry.asking = true
        entry.askedAt = now
        entries[name] = entry
        return true
    }

    /// The answer to follow now: a confirmed one, or a restored one once the servers have been silent for a while.
    func answer(_ name: ReflectorName, at now: MonotonicInstant) -> LookUpAnswer? {
        guard let entry = entries[name], let answer = entry.answer else { return nil }
        if entry.isRestored, entry.failures == 0, now - entry.askedAt < Self.restoredAfter { return nil }
        return answer
    }

    /// True while nothing is known yet, but an answer may still come.
    func isUndecided(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard let entry = entries[name] else { return true }
        if entry.isAbsent { return false }
        if entry.answer != nil { return answer(name, at: now) == nil }
        return entry.failures == 0
    }

    /// True if the name was asked for the first time so lately that an answer is worth waiting for although there is
    /// something else to go by.
    func isFresh(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard let entry = entries[name], isUndecided(name, at: now) else { return false }
        return now - entry.askedAt < Self.restoredAfter
    }

    mutating func finish(
        _ name: ReflectorName, _ result: LookUpResult, at now: MonotonicInstant, random: inout SeededGenerator
    ) -> Outcome {
        guard var entry = entries[name] else { return .unchanged }
        entry.asking = false
        defer {
            entries[name] = entry
            scheduleRenewal(entry)
        }
        switch result {
        case .records(let answer):
            let ttl = TimeSpan.seconds(Int64(min(max(answer.ttlSeconds, 1), 86_400)))
            let half = ttl.nanoseconds / 2
            entry.renewAt = now + .nanoseconds(half + Int64(random.next(upperBound: UInt64(half))))
            entry.failures = 0
            entry.isAbsent = false
            entry.isRestored = false
            if let newer = answer.serial { serial = max(serial ?? 0, newer) }
            let changed = entry.answer?.hosts != answer.hosts || entry.answer?.portset != answer.portset
            entry.answer = answer
            if changed { entry.generation += 1 }
            return changed ? .changed : .unchanged
        case .noSuchName(let newer), .noData(let newer):
            if let newer { serial = max(serial ?? 0, newer) }
            entry.renewAt = now + .seconds(5)
            entry.failures = 0
            if entry.answer != nil { return .kept }
            let changed = !entry.isAbsent
            entry.isAbsent = true
            return changed ? .changed : .unchanged
        case .failed:
            entry.failures += 1
            entry.renewAt = now + .milliseconds(Int64(min(500 << min(entry.failures, 5), 8_000)))
            return entry.isRestored && entry.failures == 1 ? .changed : .failed
        }
    }

    /// Names whose renewal is due, marked as being asked. What nobody uses any more is no longer renewed.
    mutating func dueRenewals(at now: MonotonicInstant) -> [ReflectorName] {
        var due: [ReflectorName] = []
        while let first = renewals.min {
            let name = order[first.place]
            let isWanted = entries[name].map {
                $0.renewAt == first.at && !$0.asking && now - $0.usedAt < Self.idleMax
            }
            if isWanted == true {
                guard first.at <= now else { break }
                entries[name]?.asking = true
                entries[name]?.askedAt = now
                due.append(name)
            }
            renewals.removeMin()
        }
        return due
    }

    private mutating func scheduleRenewal(_ entry: Entry) {
        // Stale ones are as a rule gone when their time comes; never more than this are kept.
        if renewals.count >= 2 * countMax + 64 {
            renewals = Heap(order.compactMap { entries[$0] }.map { Renewal(at: $0.renewAt, place: $0.place) })
        }
        renewals.insert(Renewal(at: entry.renewAt, place: entry.place))
    }
}

extension LookUpAnswer {
    /// Hosts as one region should ask them for one portset: by weighted rendezvous hash, so that load spreads and only
    /// what must move moves when a host comes or goes (design §4).
    func ranked(region: RegionID, portset: PortsetID, by order: AddressOrder) -> [HostAddresses] {
        let key = FixedHash.combine(UInt64(region.rawValue), UInt64(portset.rawValue))
        let scored = hosts(by: order).map { found in
            let host = found.host
            return (FixedHash.rendezvousScore(key: key, host: host.id, weight: UInt32(host.weight)), found)
        }
        return scored.sorted { ($0.0, $0.1.host.name) < ($1.0, $1.1.host.name) }.map(\.1)
    }
}

extension SeededGenerator {
    /// Uniform in 0..<bound; 0 for a bound of 0.
    mutating func next(upperBound bound: UInt64) -> UInt64 {
        bound == 0 ? 0 : next().multipliedFullWidth(by: bound).high
    }
}
