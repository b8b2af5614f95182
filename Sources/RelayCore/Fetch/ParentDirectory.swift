import HeapModule
import ReflectorModel

/// For each name: the last good answer of the name servers, when to renew it, and whether a look-up is pending. An
/// answer is renewed at a uniformly random time in the second half of its TTL, so that edges do not synchronize.
///
/// Viewers and children choose the names, so eviction bounds the table: when it is full, the least recently used name
/// is evicted, but never the name of a stream that carries data.
struct ParentDirectory {
    struct Entry {
        var answer: LookUpAnswer?
        /// The zone has no record for the name (NXDOMAIN, NODATA), and no earlier answer is known.
        var isAbsent = false
        /// The answer is from the state file, and the servers have not confirmed it.
        var isRestored = false
        var asking = false
        var askedAt: MonotonicInstant = .zero
        var renewAt: MonotonicInstant = .zero
        var usedAt: MonotonicInstant
        /// When a stream that carries data last used the answer; nil if none ever did.
        var carriedAt: MonotonicInstant?
        /// The answer has not been saved to the state file.
        var isUnsaved = false
        /// Failed look-ups since the last answer, and why the newest of them failed.
        var failures = 0
        var failure: LookUpFailure?
        /// Incremented whenever the hosts of the answer change.
        var generation: UInt64 = 0
        /// The parents in the answer, in the order in which this node asks them; nil until `parents(_:)` needs it.
        fileprivate var parents: [ParentCandidate]?
    }

    /// The effect of a look-up's result.
    enum Outcome: Equatable {
        /// The servers confirm what was known, word by word.
        case confirmed
        /// The hosts are the same.
        case unchanged
        case changed
        /// A name that used to resolve no longer does; its old answer stays.
        case kept
        case failed
    }

    /// What to do for a name that is needed.
    enum Use: Equatable {
        case nothing
        /// The shell must look it up now.
        case ask
        /// No room: data depends on every name in the table.
        case full
    }

    /// Why there is no usable answer.
    enum Absence: Equatable {
        /// An answer may still come.
        case undecided
        case noSuchName
        case failed(LookUpFailure)
        case full
    }

    /// A name on which data depended is renewed as long as it was used within this time.
    static let idleMax: TimeSpan = .seconds(60)
    /// The same for a name on which no data depended.
    static let unprovenIdleMax: TimeSpan = .seconds(12)
    /// How long a name is protected from eviction after data last depended on it.
    static let protectedSpan: TimeSpan = .seconds(60)
    /// How long a negative answer is trusted.
    static let absenceSpan: TimeSpan = .seconds(5)
    /// Maximum time that a shell takes to answer.
    static let answerMax: TimeSpan = .seconds(30)
    /// A restored answer is used once the servers have been silent for this long.
    static let restoredAfter: TimeSpan = .milliseconds(600)

    private struct Slot {
        var name: ReflectorName
        /// Never reused: it tells the slot's name from earlier names in the same slot.
        var number: UInt64
        var entry: Entry
    }

    private var slots: [Slot?] = []
    private var free: [Int] = []
    private var places: [ReflectorName: Int] = [:]
    /// Names on which data has never depended, and names on which it has; each list starts with the least recently
    /// used.
    private var idle = RecencyList()
    private var carried = RecencyList()
    private var nextNumber: UInt64 = 0
    /// Scheduled renewals, soonest first. An entry that differs from its name's `renewAt` is stale.
    private var renewals = Heap<Renewal>()
    /// Highest serial seen in an answer.
    private(set) var serial: UInt32?
    /// Number of names evicted to make room for others.
    private(set) var evicted: UInt64 = 0
    private var lastAnswered: MonotonicInstant?
    private var lastFailed: MonotonicInstant?
    /// The order of a host's addresses, by the families that this node has. Set by `follow`.
    private(set) var addressOrder = AddressOrder()
    let countMax: Int

    mutating func follow(_ order: AddressOrder) {
        addressOrder = order
        for place in slots.indices { slots[place]?.entry.parents = nil }
    }

    init(countMax: Int) { self.countMax = countMax }

    subscript(_ name: ReflectorName) -> Entry? { places[name].flatMap { slots[$0]?.entry } }
    var count: Int { places.count }

    private struct Renewal: Comparable {
        var at: MonotonicInstant
        /// Look-ups that are due at the same instant run in order of first use.
        var number: UInt64
        var slot: Int
        static func < (a: Renewal, b: Renewal) -> Bool { (a.at, a.number) < (b.at, b.number) }
    }

    /// When the next answer is due for renewal; the distant future if none is.
    var nextRenewal: MonotonicInstant { renewals.min?.at ?? .distantFuture }

    /// True if the look-up that ended last has failed: what is unknown now is unlikely to become known soon.
    var serversAreSilent: Bool {
        guard let lastFailed else { return false }
        return lastAnswered.map { $0 < lastFailed } ?? true
    }

    /// Adds an answer that was read from the state file.
    mutating func restore(_ name: ReflectorName, _ answer: LookUpAnswer, at now: MonotonicInstant) {
        guard places[name] == nil, places.count < countMax else { return }
        var entry = Entry(usedAt: now)
        entry.answer = answer
        entry.isRestored = true
        entry.renewAt = .distantFuture
        insert(name, entry)
    }

    /// Notes that a name is needed, and returns what to do for it.
    ///
    /// - Parameter isCarrying: whether data depends on the name, which protects it from eviction.
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
        // A look-up that the shell never answered is requested again.
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

    /// Returns the name's answer if it must be saved to the state file: once per answer, and only if data has depended
    /// on the name.
    mutating func takeUnsaved(_ name: ReflectorName) -> LookUpAnswer? {
        guard let place = places[name], let entry = slots[place]?.entry, entry.isUnsaved,
            entry.carriedAt != nil
        else { return nil }
        slots[place]?.entry.isUnsaved = false
        return entry.answer
    }

    /// True if the name must be looked up again now, because the hosts of its answer failed: at most once a second, and
    /// not while a look-up is pending. Marks the look-up as pending.
    mutating func urge(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        guard let place = places[name], let entry = slots[place]?.entry, !entry.asking,
            now - entry.askedAt >= .seconds(1)
        else { return false }
        slots[place]?.entry.asking = true
        slots[place]?.entry.askedAt = now
        return true
    }

    /// The answer to follow now: a confirmed one, or a restored one once the servers have failed or been silent for
    /// `restoredAfter`.
    func answer(_ name: ReflectorName, at now: MonotonicInstant) -> LookUpAnswer? {
        guard let entry = self[name], let answer = entry.answer else { return nil }
        if entry.isRestored, entry.failures == 0, now - entry.askedAt < Self.restoredAfter {
            return nil
        }
        return answer
    }

    /// The parents in the answer that `answer` returns for the name, in the order in which this node asks them.
    mutating func parents(_ rank: ParentRank, _ region: RegionID, _ portset: PortsetID) -> [ParentCandidate] {
        let name = ReflectorName.parents(rank, region, portset)
        guard let place = places[name], let entry = slots[place]?.entry, let answer = entry.answer else { return [] }
        if let parents = entry.parents { return parents }
        let parents = CandidateList.parents(in: answer, of: rank, region, portset, by: addressOrder)
        slots[place]?.entry.parents = parents
        return parents
    }

    /// Why there is no answer for a name in use.
    func absence(of name: ReflectorName, at now: MonotonicInstant) -> Absence {
        guard let entry = self[name] else { return .full }
        if entry.isAbsent { return .noSuchName }
        if entry.answer != nil || entry.failures == 0 { return .undecided }
        return .failed(entry.failure ?? .timedOut)
    }

    /// True if the zone has said recently that there is nothing for the name, so that no new look-up is needed.
    func isKnownAbsent(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        self[name].map { $0.isAbsent && now < $0.renewAt } ?? false
    }

    /// True while nothing is known yet, but an answer may still come.
    func isUndecided(_ name: ReflectorName, at now: MonotonicInstant) -> Bool {
        answer(name, at: now) == nil && absence(of: name, at: now) == .undecided
    }

    /// True if the name was first looked up so recently that it is worth waiting for an answer although there is an
    /// alternative.
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
        // A nonexistent name is looked up again only when somebody needs it.
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
            let wasConfirmed = !entry.isRestored && entry.failures == 0
            entry.failures = 0
            entry.isAbsent = false
            entry.isRestored = false
            if let newer = answer.serial { serial = max(serial ?? 0, newer) }
            let changed = entry.answer?.hosts != answer.hosts || entry.answer?.portset != answer.portset
            if entry.answer == answer { return wasConfirmed ? .confirmed : .unchanged }
            entry.isUnsaved = true
            entry.answer = answer
            entry.parents = nil
            if changed { entry.generation &+= 1 }
            return changed ? .changed : .unchanged
        case .noSuchName(let newer), .noData(let newer):
            if let newer { serial = max(serial ?? 0, newer) }
            entry.renewAt = now + Self.absenceSpan
            entry.failures = 0
            if entry.answer != nil { return .kept }
            let changed = !entry.isAbsent
            entry.isAbsent = true
            return changed ? .changed : .confirmed
        case .failed(.overloaded):
            // The look-up was not made at all. It is tried again soon, when there may be room for it.
            entry.renewAt = now + .nanoseconds(100_000_000 + Int64(random.next(upperBound: 100_000_000)))
            return .failed
        case .failed(let failure):
            entry.failures = min(entry.failures + 1, 1_000)
            entry.failure = failure
            entry.renewAt = now + .milliseconds(Int64(min(500 << min(entry.failures, 5), 8_000)))
            // An old negative answer says nothing about the present.
            let changes = entry.isAbsent || entry.isRestored && entry.failures == 1
            entry.isAbsent = false
            return changes ? .changed : .failed
        }
    }

    /// Returns the names whose renewal is due, and marks their look-ups as pending. Names that nobody uses are no
    /// longer renewed.
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
        // Stale entries normally disappear when they come due. Rebuilding the heap bounds their number.
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

    /// Evicts the least recently used name on which data has never depended, or else the least recently used of all.
    /// False if data depends on all names.
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
    /// The order in which one region asks hosts for one portset: weighted rendezvous hashing spreads the load, and a
    /// host that joins or leaves moves only the streams that must move (design §4).
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
