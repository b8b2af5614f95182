import ReflectorModel
import RelayWire

/// What a member says about itself to the others of its region: the slots that it leads, those that it asks others to
/// lead, what its viewers want, and what it holds.
struct RegionClaims {
    private var list = VersionedList<RegionReport.Entry>()
    /// The streams whose slot this member leads.
    private(set) var led = SortedNames()
    /// The streams that it asks others to lead, and until when.
    private var yields: [(stream: StreamName, until: MonotonicInstant)] = []

    var version: UInt64 { list.version }
    /// Something has changed since the last `commit`.
    var isChanged: Bool { list.isChanged }
    mutating func commit() { list.commit() }

    /// The streams about which it says anything, sorted.
    var streams: [StreamName] { list.streams }

    func leads(_ stream: StreamName) -> Bool { led.contains(stream) }
    func isYielding(_ stream: StreamName) -> Bool { yields.contains { $0.stream == stream } }

    mutating func claim(_ stream: StreamName) {
        led.insert(stream)
        yields.removeAll { $0.stream == stream }
    }

    mutating func drop(_ stream: StreamName) { led.remove(stream) }

    /// Asks others to lead the stream.
    mutating func yield(_ stream: StreamName, until: MonotonicInstant) {
        yields.removeAll { $0.stream == stream }
        yields.append((stream, until))
    }

    /// Forgets what is over. True if it asks others to lead fewer streams than before.
    mutating func expire(at now: MonotonicInstant) -> Bool {
        guard yields.contains(where: { now >= $0.until }) else { return false }
        yields.removeAll { now >= $0.until }
        return true
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
