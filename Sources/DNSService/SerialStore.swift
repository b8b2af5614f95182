import Glibc

/// The last serial of each zone and the fingerprint of what it stood for, kept across restarts: one file a zone,
/// `ZONE.serial`, replaced whole.
struct SerialStore {
    struct Entry: Equatable {
        var serial: UInt32
        var digest: String
        /// What last changed the answer of each set region.
        var sets: [SetChange] = []
    }

    /// Why nothing could be kept. The name server goes on: its serials then rest on the clock.
    struct Failure: Error, CustomStringConvertible {
        var path: String
        var operation: String
        var code: Int32
        var description: String { "\(path): \(operation): \(String(cString: strerror(code)))" }
    }

    /// Longest file that is read.
    private static let lengthMax = 16 << 20

    let directory: String

    /// What is kept of a zone; nil for nothing, or nothing that can be read.
    func load(zone: String) -> Entry? {
        let lines = (file(zone).text(lengthMax: Self.lengthMax) ?? "").split(separator: "\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard words.count == 2, let serial = UInt32(words[0]) else { return nil }
        return Entry(
            serial: serial, digest: String(words[1]), sets: lines.dropFirst().compactMap { SetChange(line: $0) })
    }

    func save(_ entry: Entry, zone: String) throws(Failure) {
        try file(zone).replace(
            "\(entry.serial) \(entry.digest)\n" + entry.sets.map { $0.line + "\n" }.joined())
    }

    private func file(_ zone: String) -> StateFile { StateFile(path: "\(directory)/\(zone).serial") }
}
