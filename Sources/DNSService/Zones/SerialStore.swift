import Glibc
import ReflectorModel

/// The latest serial of each zone and the fingerprint of its content, kept across restarts: one file per zone,
/// `ZONE.serial`, replaced atomically. A file `ZONE.raise` beside it is an operator's request for a serial above a
/// given number (`reflector zone serial`).
public struct SerialStore: Sendable {
    public struct Entry: Equatable, Sendable {
        public var serial: UInt32
        public var digest: String
        /// What last changed the answer of each set region.
        var sets: [SetChange] = []
        /// The kinds of files that the zone had in addition to its `.zone` file.
        var sidecars: Set<String> = []
        /// Number of classes of earlier generations that transfers to secondaries contain in addition
        /// (`ZoneContent.outliving`).
        var outlivingClasses = 0
        /// Number of the newest revocation list that the zone had; 0 if it had none.
        var revocations: UInt64 = 0

        init(
            serial: UInt32, digest: String, sets: [SetChange] = [], sidecars: Set<String> = [],
            outlivingClasses: Int = 0, revocations: UInt64 = 0
        ) {
            (self.serial, self.digest, self.sets) = (serial, digest, sets)
            (self.sidecars, self.outlivingClasses, self.revocations) = (sidecars, outlivingClasses, revocations)
        }
    }

    /// Why a file could not be written or read.
    public struct Failure: Error, CustomStringConvertible, Sendable {
        public var path: String
        public var operation: String
        public var code: Int32
        public var description: String { "\(path): \(operation): \(String(cString: strerror(code)))" }
    }

    /// What the store has for a zone.
    public enum Kept: Equatable, Sendable {
        case entry(Entry)
        /// No serial has been kept.
        case absent
        /// The file exists but can't be used; gives path and reason.
        case damaged(String)
    }

    /// Maximum number of bytes of a file that is read.
    private static let lengthMax = 16 << 20
    private static let suffix = ".serial"

    public let directory: String

    public init(directory: String) { self.directory = directory }

    /// Reads the stored entry of a zone.
    public func load(zone: String) -> Kept {
        let file = file(zone)
        let text: String?
        do throws(Failure) {
            text = try file.contents(lengthMax: Self.lengthMax)
        } catch {
            return .damaged("\(error)")
        }
        guard let text else { return .absent }
        let lines = text.split(separator: "\n")
        let words = lines.first?.split(separator: " ") ?? []
        guard (2...3).contains(words.count), let serial = UInt32(words[0]) else {
            return .damaged("\(file.path): its first line is not SERIAL FINGERPRINT")
        }
        let digest = String(words[1])
        guard words.count == 2 || words[2] == Self.checksum(serial, digest) else {
            return .damaged("\(file.path): the checksum of its first line is wrong")
        }
        let sidecars = lines.filter { $0.hasPrefix("sidecars ") }.flatMap { $0.split(separator: " ").dropFirst() }
        let outliving = lines.first { $0.hasPrefix("outliving ") }.flatMap { Int($0.dropFirst(10)) } ?? 0
        let revocations = lines.first { $0.hasPrefix("revocations ") }.flatMap { UInt64($0.dropFirst(12)) } ?? 0
        return .entry(
            Entry(
                serial: serial, digest: digest, sets: lines.dropFirst().compactMap { SetChange(line: $0) },
                sidecars: Set(sidecars.map(String.init)), outlivingClasses: outliving, revocations: revocations))
    }

    /// Replaces the stored entry. If that fails, as on a full disk, only the line with serial and fingerprint is
    /// overwritten in place.
    /// - Throws: if the file could not be replaced; the serial may have been stored nevertheless.
    func save(_ entry: Entry, zone: String) throws(Failure) {
        let first = "\(entry.serial) \(entry.digest) \(Self.checksum(entry.serial, entry.digest))"
        let sidecars = entry.sidecars.isEmpty ? "" : "sidecars " + entry.sidecars.sorted().joined(separator: " ") + "\n"
        let outliving = entry.outlivingClasses == 0 ? "" : "outliving \(entry.outlivingClasses)\n"
        let revocations = entry.revocations == 0 ? "" : "revocations \(entry.revocations)\n"
        let sets = entry.sets.map { $0.line + "\n" }.joined()
        do throws(Failure) {
            try file(zone).replace(first + "\n" + sidecars + outliving + revocations + sets)
        } catch {
            file(zone).overwriteFirstLine(first)
            throw error
        }
    }

    /// Zones with a stored serial, sorted.
    public var zones: [String] {
        FolderPlan.names(in: directory).filter { $0.hasSuffix(Self.suffix) }.map {
            String($0.dropLast(Self.suffix.count))
        }
    }

    // MARK: Serials that an operator requests

    /// Asks the name server that keeps its serials in this directory for a serial above `serial`. The server reads the
    /// request within seconds, or when it starts.
    public func askForRaise(above serial: UInt32, zone: String) throws(Failure) {
        try raiseFile(zone).replace("\(serial)\n")
    }

    /// The serial of an operator's request; nil if there is none, or it can't be read.
    func raise(zone: String) -> UInt32? {
        guard let text = try? raiseFile(zone).contents(lengthMax: 64) else { return nil }
        return UInt32(text.split(whereSeparator: \.isWhitespace).first ?? "")
    }

    func raiseIsDone(zone: String) { unlink(raiseFile(zone).path) }

    private func file(_ zone: String) -> StateFile { StateFile(path: "\(directory)/\(zone)\(Self.suffix)") }
    private func raiseFile(_ zone: String) -> StateFile { StateFile(path: "\(directory)/\(zone).raise") }

    /// Detects torn and corrupt files, not tampering.
    private static func checksum(_ serial: UInt32, _ digest: String) -> String {
        NodeID(digest.utf8.reduce(FixedHash.combine(0, UInt64(serial))) { FixedHash.combine($0, UInt64($1)) })
            .description
    }
}
