import ReflectorModel

/// The last good answers of a node's look-ups: the node uses them when it starts and no name server answers (design
/// §4).
public struct SavedAnswers: Sendable, Equatable {
    /// Maximum number of names; the one saved longest ago is evicted first.
    public static let namesMax = 4_096

    /// By the text of the name, for example `n1.r1283.s4096`.
    private(set) var entries: [String: Entry] = [:]

    public init() {}

    struct Entry: Sendable, Equatable {
        var answer: LookUpAnswer
        /// Unix time, in seconds.
        var savedAt: Int64
    }

    public var count: Int { entries.count }

    /// Every name remembered, in a fixed order.
    public var names: [ReflectorName] { entries.keys.sorted().compactMap { ReflectorName($0) } }

    /// The last good answer for a name, and when it was saved, in seconds of Unix time.
    public func answer(for name: ReflectorName) -> (answer: LookUpAnswer, savedAt: Int64)? {
        entries[name.description].map { ($0.answer, $0.savedAt) }
    }

    /// Remembers an answer. False if the same answer is saved already, so that no write is needed.
    public mutating func keep(_ answer: LookUpAnswer, for name: ReflectorName, unixSeconds: Int64) -> Bool {
        let key = name.description
        if entries[key]?.answer == answer { return false }
        if entries[key] == nil, entries.count >= Self.namesMax,
            let oldest = entries.min(by: { ($0.value.savedAt, $0.key) < ($1.value.savedAt, $1.key) })
        {
            entries[oldest.key] = nil
        }
        entries[key] = Entry(answer: answer, savedAt: unixSeconds)
        return true
    }

    mutating func insert(_ entry: Entry, key: String) {
        if entries.count < Self.namesMax { entries[key] = entry }
    }
}
