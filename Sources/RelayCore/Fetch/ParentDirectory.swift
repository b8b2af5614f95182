import HeapModule
import ReflectorModel

/// What the name servers last said, by name: look-ups under way, answers with their ages, last good parents. Answers
/// are renewed at a uniformly random moment in the second half of their TTL, so that edges do not come in step.
///
/// Viewers and children choose the names, so eviction bounds the table: when it is full, the name that was used longest
/// ago goes, but never the name of a stream that carries data.
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
        /// When a stream that carries data last went by it; nil if none ever did.
        var carriedAt: MonotonicInstant?
        /// The answer is not in the state file, or not yet.
        var isUnsaved = false
        /// Since the last answer, and how the last one ended.
        var failures = 0
        var failure: LookUpFailure?
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

    /// What to do about a name that is needed.
    enum Use: Equatable {
        case nothing
        /// The shell must be asked to look it up now.
        case ask
        /// There is no room: every name in the table is one that data goes by.
        case full
    }

    /// Why there is no answer to go by.
    enum Absence: Equatable {
        /// An answer may still come.
        case undecided
        case noSuchName
        case failed(LookUpFailure)
        case full
    }

    /// A name that data went by is renewed as long as it was used within this time.
    static let idleMax: TimeSpan = .seconds(60)
    /// The same for a name that no data has gone by.
    static let unprovenIdleMax: TimeSpan = .seconds(12)
    /// A name is protected from eviction this long after data last went by it.
    static let protectedSpan: TimeSpan = .seconds(60)
    /// How long "there is no such name" is believed.
    static let absenceSpan: TimeSpan = .seconds(5)
    /// No shell takes longer to answer.
    static let answerMax: TimeSpan = .seconds(30)
    /// A restored answer serves when the servers have been silent this long.
    static let restoredAfter: TimeSpan = .milliseconds(600)

    private struct Slot {
        var name: ReflectorName
        /// Of all names ever: tells the slot's name from one that was there before.
        var number: UInt64
        var entry: Entry
    }

    private var slots: [Slot?] = []
    private var free: [Int] = []
    private var places: [ReflectorName: Int] = [:]
    /// Least recently used first: names that no data goes by, and those that it does.
    private var idle = RecencyList()
    private var carried = RecencyList()
    private var nextNumber: UInt64 = 0
    /// What is to be renewed, soonest first. One that is not its entry's `renewAt` any more is stale.
    private var renewals = Heap<Renewal>()
    /// Highest serial seen in an answer.
    private(set) var serial: UInt32?
    /// Names that had to go for others.
    private(set) var evicted: UInt64 = 0
    private var lastAnswered: MonotonicInstant?
    private var lastFailed: MonotonicInstant?
    /// Which addresses of a host come first, by the families that this node has. Set by `follow`.
    private(set) var addressOrder = AddressOrder()
    let countMax: Int

    mutating func follow(_ order: AddressOrder) { addressOrder = order }

    init(countMax: Int) { self.countMax = countMax }

    subscript(_ name: ReflectorName) -> Entry? { places[name].flatMap { slots[$0]?.entry } }
    var count: Int { places.count }

    private struct Renewal: Comparable {
        var at: MonotonicInstant
        /// What is due at one instant is asked in order of first use.
        var number: UInt64
        var slot: Int
        static func < (a: Renewal, b: Renewal) -> Bool { (a.at, a.number) < (b.at, b.number) }
    }

    /// When the next answer is due for renewal; distant when none is.
    var nextRenewal: MonotonicInstant { renewals.min?.at ?? .distantFuture }

    /// The last look-up that ended failed: what is not known now will hardly be known in a moment.
    var serversAreSilent: Bool {
        guard let lastFailed else { return false }
        return lastAnswered.map { $0 < lastFailed } ?? true
    }

    /// Takes the last good answer from the state file.
    mutating func restore(_ name: ReflectorName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        guard places[name] == nil, places.count < countMax else { return }
        var entry = Entry(usedAt: now)
        entry.answer = answer
        entry.isRestored = true
        entry.renewAt = .distantFuture
        insert(name, entry)
    }

    /// Notes that a name is needed.
    ///
    /// - Parameter isCarrying: data goes by it: it is not evicted.
    mutating func use(_ name: ReflectorName, isCarrying: Bool = false, at now: MonotonicInstant)
        -> Use
    {
        guard let place = places[name], var entry = slots[place]?.entry else {
            guard places.count < countMax || evictOne(at: now) else { return .full }
            var entry = Entry(usedAt: now)
            entry.carriedAt = isCarrying ? now : nil
            entry.asking = true
            entry.askedAt = now
            insert(name, entry)
            return .ask
        }
        let wasProtected = entry.carriedAt != nil
        entry.usedAt = now
        if isCarrying { entry.carriedAt = now }
        // A question that the shell never answered is asked again.
        let isFree = !entry.asking || now - entry.askedAt >= Self.answerMax
        let ask =
            isFree && (entry.asking || entry.renewAt <= now || entry.isRestored && entry.failures == 0)
        if ask {
            entry.asking = true
            entry.askedAt = now
        }
        slots[place]?.entry = entry
        if wasProtected {
            carried.touch(place)
        } else if isCarrying {
            idle.remove(place)
            carried.append(place)
        } else {
            idle.touch(place)
        }
        return ask ? .ask : .nothing
    }

    /// The answer that should be in the state file and is not: of names that data goes by, each once.
    mutating func takeUnsaved(_ name: ReflectorName) -> LookUpAnswer? {
        guard let place = places[name], let entry = slots[place]?.entry, entry.isUnsaved,
            entry.carriedAt != nil
        else { return nil }
        slots[place]?.entry.isUnsaved = false
        return entry.answer
    }

    /// Asks again at once, because what the answer led to has failed. At most once a second.
    mutating func urge(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard let place = places[name], let entry = slots[place]?.entry, !entry.asking,
            now - entry.askedAt >= .seconds(1)
        else { return false }
        slots[place]?.entry.asking = true
        slots[place]?.entry.askedAt = now
        return true
    }

    /// The answer to follow now: a confirmed one, or a restored one once the servers have been silent for a while.
    func answer(_ name: ReflectorName, at now: MonotonicInstant) -> LookUpAnswer? {
        guard let entry = self[name], let answer = entry.answer else { return nil }
        if entry.isRestored, entry.failures == 0, now - entry.askedAt < Self.restoredAfter {
            return nil
        }
        return answer
    }

    /// Why there is no answer to a name that is in use.
    func absence(of name: ReflectorName, at now: MonotonicInstant) -> Absence {
        guard let entry = self[name] else { return .full }
        if entry.isAbsent { return .noSuchName }
        if entry.answer != nil || entry.failures == 0 { return .undecided }
        return .failed(entry.failure ?? .timedOut)
    }

    /// The zone said so a moment ago: it need not be asked again.
    func isKnownAbsent(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        self[name].map { $0.isAbsent && now < $0.renewAt } ?? false
    }

    /// True while nothing is known yet, but an answer may still come.
    func isUndecided(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        answer(name, at: now) == nil && absence(of: name, at: now) == .undecided
    }

    /// True if the name was asked for the first time so recently that an answer is worth waiting for although there is
    /// something else to go by.
    func isFresh(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard let entry = self[name], isUndecided(name, at: now) else { return false }
        return now - entry.askedAt < Self.restoredAfter
    }

    mutating func finish(
        _ name: ReflectorName, _ result: LookUpResult, at now: MonotonicInstant,
        random: inout SeededGenerator
    ) -> Outcome {
        switch result {
        case .failed(.overloaded): break
        case .failed: lastFailed = now
        case .records, .noSuchName, .noData: lastAnswered = now
        }
        guard let place = places[name], var slot = slots[place] else { return .unchanged }
        slot.entry.asking = false
        let outcome = take(result, into: &slot.entry, at: now, random: &random)
        slots[place] = slot
        // What does not exist is asked for again only when somebody needs it.
        if !slot.entry.isAbsent { scheduleRenewal(place, slot) }
        return outcome
    }

    private mutating func take(
        _ result: LookUpResult, into entry: inout Entry, at now: MonotonicInstant,
        random: inout SeededGenerator
    ) -> Outcome {
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
            if entry.answer != answer { entry.isUnsaved = true }
            entry.answer = answer
            if changed { entry.generation &+= 1 }
            return changed ? .changed : .unchanged
        case .noSuchName(let newer), .noData(let newer):
            if let newer { serial = max(serial ?? 0, newer) }
            entry.renewAt = now + Self.absenceSpan
            entry.failures = 0
            if entry.answer != nil { return .kept }
            let changed = !entry.isAbsent
            entry.isAbsent = true
            return changed ? .changed : .unchanged
        case .failed(.overloaded):
            // It was not asked at all, and is again as soon as there is room.
            entry.renewAt = now + .nanoseconds(100_000_000 + Int64(random.next(upperBound: 100_000_000)))
            return .failed
        case .failed(let failure):
            entry.failures = min(entry.failures + 1, 1_000)
            entry.failure = failure
            entry.renewAt = now + .milliseconds(Int64(min(500 << min(entry.failures, 5), 8_000)))
            // That it did not exist a while ago says nothing about now.
            let changes = entry.isAbsent || entry.isRestored && entry.failures == 1
            entry.isAbsent = false
            return changes ? .changed : .failed
        }
    }

    /// Names whose renewal is due, marked as being asked. What nobody uses any more is no longer renewed.
    mutating func dueRenewals(at now: MonotonicInstant) -> [ReflectorName] {
        var due: [ReflectorName] = []
        while let first = renewals.min {
            if let slot = slots[first.slot], slot.number == first.number,
                isWanted(slot.entry, first.at, at: now)
            {
                guard first.at <= now else { break }
                slots[first.slot]?.entry.asking = true
                slots[first.slot]?.entry.askedAt = now
                due.append(slot.name)
            }
            renewals.removeMin()
        }
        return due
    }

    private func isWanted(_ entry: Entry, _ at: MonotonicInstant, at now: MonotonicInstant) -> Bool {
        let idleMax = entry.carriedAt == nil ? Self.unprovenIdleMax : Self.idleMax
        return entry.renewAt == at && !entry.asking && now - entry.usedAt < idleMax
    }

    private mutating func scheduleRenewal(_ place: Int, _ slot: Slot) {
        // Stale ones are as a rule gone when their time comes; never more than this are kept.
        if renewals.count >= 2 * countMax + 64 {
            renewals = Heap(
                slots.indices.compactMap { index in
                    slots[index].map { Renewal(at: $0.entry.renewAt, number: $0.number, slot: index) }
                })
        }
        renewals.insert(Renewal(at: slot.entry.renewAt, number: slot.number, slot: place))
    }

    // MARK: Room

    private mutating func insert(_ name: ReflectorName, _ entry: Entry) {
        let place = free.popLast() ?? slots.count
        if place == slots.count { slots.append(nil) }
        slots[place] = Slot(name: name, number: nextNumber, entry: entry)
        nextNumber &+= 1
        places[name] = place
        if entry.carriedAt == nil { idle.append(place) } else { carried.append(place) }
    }

    /// Makes room by the name that was used longest ago. False if data goes by all of them.
    private mutating func evictOne(at now: MonotonicInstant) -> Bool {
        let place: Int
        if let oldest = idle.first {
            place = oldest
            idle.remove(place)
        } else if let oldest = carried.first, let carriedAt = slots[oldest]?.entry.carriedAt,
            now - carriedAt >= Self.protectedSpan
        {
            place = oldest
            carried.remove(place)
        } else {
            return false
        }
        if let slot = slots[place] { places[slot.name] = nil }
        slots[place] = nil
        free.append(place)
        evicted &+= 1
        return true
    }
}

extension LookUpAnswer {
    /// Hosts as one region should ask them for one portset: by weighted rendezvous hash, so that load spreads and only
    /// what must move moves when a host comes or goes (design §4).
    func ranked(region: RegionID, portset: PortsetID, by order: AddressOrder) -> [HostAddresses] {
        let key = FixedHash.combine(UInt64(region.rawValue), UInt64(portset.rawValue))
        let scored = hosts(by: order).map { found in
            let host = found.host
            return (
                FixedHash.rendezvousScore(key: key, host: host.id, weight: UInt32(host.weight)), found
            )
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
