import DequeModule
import ReflectorModel

/// A list with an entry for each stream that is told to others in versions, and what has changed since earlier versions:
/// a receiver that holds one of these is told only the changes.
struct VersionedList<Entry: Equatable> {
    /// The version of the list without the changes that are not committed.
    private(set) var version: UInt64 = 1
    /// There are changes that are not committed.
    private(set) var isChanged = false
    private var entries: [StreamName: Entry] = [:]
    /// In which version a stream's entry changed, the oldest change first.
    private var changes = Deque<(version: UInt64, stream: StreamName)>()
    /// All changes after this version are in `changes`.
    private var oldestBase: UInt64 = 1

    /// Maximum number of changes that are remembered. The oldest is forgotten to make room; a receiver that would need
    /// it gets the whole list.
    static var changesMax: Int { 1_024 }

    subscript(_ stream: StreamName) -> Entry? { entries[stream] }

    /// The streams, sorted.
    var streams: [StreamName] { entries.keys.sorted() }

    /// Changes the entry of a stream; nil removes it. False if that is no change.
    mutating func set(_ entry: Entry?, of stream: StreamName) -> Bool {
        guard entries[stream] != entry else { return false }
        entries[stream] = entry
        if changes.count >= Self.changesMax, let oldest = changes.popFirst() { oldestBase = oldest.version }
        changes.append((version + 1, stream))
        isChanged = true
        return true
    }

    /// What has changed becomes the next version.
    mutating func commit() {
        guard isChanged else { return }
        version += 1
        isChanged = false
    }

    /// The entries to tell a receiver that holds a version: those that have changed since then, each stream once; or all,
    /// sorted by stream, because the changes are not known or are more than the list has entries.
    ///
    /// - Parameters:
    ///   - held: 0 for none.
    ///   - withdrawn: the entry of a stream that is no longer in the list.
    /// - Returns: `base` is `held` for the changes, and 0 for all entries.
    func contents(since held: UInt64, withdrawn: (StreamName) -> Entry) -> (base: UInt64, entries: [Entry]) {
        if let streams = streamsChanged(since: held) {
            return (held, streams.map { entries[$0] ?? withdrawn($0) })
        }
        return (0, streams.compactMap { entries[$0] })
    }

    private func streamsChanged(since base: UInt64) -> [StreamName]? {
        guard (oldestBase...max(version, oldestBase)).contains(base) else { return nil }
        var found = Set<StreamName>()
        var streams: [StreamName] = []
        for change in changes.reversed() {
            guard change.version > base else { break }
            if found.insert(change.stream).inserted { streams.append(change.stream) }
        }
        return streams.count <= entries.count ? streams : nil
    }
}
