import Glibc

/// The last serial of each zone and the fingerprint of what it stood for, kept across restarts: one file a zone,
/// `ZONE.serial`, replaced whole.
struct SerialStore {
    struct Entry: Equatable {
        var serial: UInt32
        var digest: String
    }

    /// Why nothing could be kept. The name server goes on: its serials then rest on the clock.
    struct Failure: Error, CustomStringConvertible {
        var path: String
        var operation: String
        var code: Int32
        var description: String { "\(path): \(operation): \(String(cString: strerror(code)))" }
    }

    /// Longest file that is read.
    private static let lengthMax = 256

    let directory: String

    /// What is kept of a zone; nil for nothing, or nothing that can be read.
    func load(zone: String) -> Entry? {
        let file = open(path(zone), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: Self.lengthMax)
        let count = read(file, &buffer, buffer.count)
        guard count > 0 else { return nil }
        let words = String(decoding: buffer[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let serial = UInt32(words[0]) else { return nil }
        return Entry(serial: serial, digest: String(words[1]))
    }

    func save(_ entry: Entry, zone: String) throws(Failure) {
        let target = path(zone)
        let temporary = target + ".new"
        _ = mkdir(directory, 0o755)
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard file >= 0 else { throw Failure(path: temporary, operation: "open", code: errno) }
        let bytes = Array("\(entry.serial) \(entry.digest)\n".utf8)
        let written = write(file, bytes, bytes.count)
        let code = errno
        let isSafe = written == bytes.count && fsync(file) == 0
        close(file)
        guard isSafe else { throw Failure(path: temporary, operation: "write", code: code) }
        guard rename(temporary, target) == 0 else { throw Failure(path: target, operation: "rename", code: errno) }
    }

    private func path(_ zone: String) -> String { "\(directory)/\(zone).serial" }
}
