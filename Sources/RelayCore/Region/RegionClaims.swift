import ReflectorModel
import RelayWire

/// What a member says about itself to the others of its region: the slots that it leads, those that it asks others to
/// lead, what its viewers want, and what it holds.
struct RegionClaims {
    private var list = VersionedList<RegionReport.Entry>()
    /// The streams whose slot this member leads.
    private(set) var led = SortedNames()
    /// The streams that it asks others to lead, and until when.
    private var yields: [StreamName: Yield] = [:]
    /// The same streams, sorted.
    private var yielding = SortedNames()
    /// The streams that another member asks it to lead, and until when it tries to reach a parent.
    private var attempts: [StreamName: MonotonicInstant] = [:]
    /// The same streams, sorted.
    private(set) var attempted = SortedNames()
    /// It has given up a stream a short time ago, because no parent outside answered it.
    private(set) var isCutOff = false

    private struct Yield {
        var until: MonotonicInstant
        /// No parent answers it; otherwise it has more slots than its share.
        var isForced: Bool
    }

    var version: UInt64 { list.version }
    /// Something has changed since the last `commit`.
    var isChanged: Bool { list.isChanged }
    mutating func commit() { list.commit() }

    /// The streams about which it says anything, sorted.
    var streams: [StreamName] { list.streams }

    func leads(_ stream: StreamName) -> Bool { led.contains(stream) }
    func isYielding(_ stream: StreamName) -> Bool { yields[stream] != nil }

    mutating func claim(_ stream: StreamName) {
        led.insert(stream)
        endYield(stream)
        endAttempt(stream)
    }

    mutating func drop(_ stream: StreamName) { led.remove(stream) }

    /// Another member leads the stream until this one reaches a parent.
    mutating func attempt(_ stream: StreamName, until: MonotonicInstant) {
        guard attempts[stream] == nil else { return }
        attempts[stream] = until
        attempted.insert(stream)
    }

    mutating func endAttempt(_ stream: StreamName) {
        guard attempts.removeValue(forKey: stream) != nil else { return }
        attempted.remove(stream)
    }

    /// Until when it tries to reach a parent of the stream; nil if it does not.
    func attemptEnd(_ stream: StreamName) -> MonotonicInstant? { attempts[stream] }

    /// Asks others to lead the stream.
    ///
    /// - Parameter isForced: because no parent answers this member.
    mutating func yield(_ stream: StreamName, until: MonotonicInstant, isForced: Bool) {
        endAttempt(stream)
        yields[stream] = Yield(until: until, isForced: isForced)
        yielding.insert(stream)
        isCutOff = isCutOff || isForced
    }

    private mutating func endYield(_ stream: StreamName) {
        guard yields.removeValue(forKey: stream) != nil else { return }
        yielding.remove(stream)
    }

    /// Forgets what is over. True if it asks others to lead fewer streams than before.
    mutating func expire(at now: MonotonicInstant) -> Bool {
        var isAny = false
        isCutOff = false
        for stream in yielding.all {
            guard let yield = yields[stream] else { continue }
            if now >= yield.until {
                endYield(stream)
                isAny = true
            } else if yield.isForced {
                isCutOff = true
            }
        }
        return isAny
    }

    /// Brings the entry of a stream up to date.
    ///
    /// - Parameter isNumberNew: whether a higher number is a change.
    mutating func tell(
        _ stream: StreamName, isWanted: Bool, held: IncarnationTag?, highest: UInt64, isNumberNew: Bool
    ) {
        let (leads, isYielding) = (led.contains(stream), isYielding(stream))
        guard isWanted || leads || isYielding else { return _ = list.set(nil, of: stream) }
        var entry = RegionReport.Entry(
            stream: stream, isWanted: isWanted, slots: leads ? 1 : 0, isYielding: isYielding, held: held,
            highest: SequenceNumber(held == nil ? 0 : highest))
        if !isNumberNew, let old = list[stream], old.held == held {
            entry.highest = old.highest
        }
        _ = list.set(entry, of: stream)
    }

    /// The pages that a member needs which holds this version of the list; empty if it holds the newest one.
    func pages(since held: UInt64) -> [RegionReport.Page] {
        guard held != list.version else { return [] }
        let contents = list.contents(since: held, withdrawn: RegionReport.Entry.withdrawn)
        return RegionReport.pages(version: list.version, base: contents.base, of: contents.entries)
    }
}
