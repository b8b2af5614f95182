import FoundationEssentials
import ReflectorModel

/// The file that keeps an edge's playlist numbers across restarts: small JSON, replaced atomically. Without it, the
/// numbers of a stream begin at the wall clock's seconds: a segment lasts at least a second, so the numbers never
/// overtake the clock.
struct SegmentNumberFile: Sendable {
    /// Largest file that is read, in bytes.
    private static let bytesMax = 8 << 20
    private static let version = 1
    /// A player that received its target duration more than this many seconds ago is considered gone.
    private static let targetAgeMax: Int64 = 120

    private struct Document: Codable {
        var version: Int
        /// Seconds since 1970.
        var savedAt: Int64
        var streams: [String: SegmentNumbering]
    }

    let path: String

    /// Reads the saved numbers. Also returns a sentence about the problem if the file, or an entry, could not be used.
    /// A missing file is not a problem.
    /// - Parameter now: seconds since 1970.
    func load(now: Int64) -> (numbers: [StreamName: SegmentNumbering], problem: String?) {
        guard FileManager.default.fileExists(atPath: path) else { return ([:], nil) }
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)), data.count <= Self.bytesMax,
            let document = try? JSONDecoder().decode(Document.self, from: data), document.version == Self.version
        else { return ([:], "\(path): damaged; numbers of playlists begin at the wall clock's seconds") }
        var numbers: [StreamName: SegmentNumbering] = [:]
        var skipped = 0
        for (text, numbering) in document.streams {
            guard let name = StreamName(text), var restored = numbering.restored else {
                skipped += 1
                continue
            }
            let (age, overflow) = now.subtractingReportingOverflow(document.savedAt)
            if overflow || age < 0 || age > Self.targetAgeMax { restored.targetSeconds = nil }
            numbers[name] = restored
        }
        return (numbers, skipped == 0 ? nil : "\(path): \(skipped) entries could not be read and were skipped")
    }

    /// Replaces the file. Blocks, so it must not be called on the packet path.
    func save(_ numbers: [StreamName: SegmentNumbering], now: Int64) throws {
        let streams = Dictionary(uniqueKeysWithValues: numbers.map { ($0.key.text, $0.value) })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let data = try encoder.encode(Document(version: Self.version, savedAt: now, streams: streams))
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    }
}
