import DNSAnswers
import Foundation
import Logging
import ReflectorModel
import Synchronization

/// The most recently served generations of each zone: secondaries can get incremental transfers even after a restart.
/// Each generation is one file, `ZONE.SERIAL.generation`, written atomically; without a directory, generations are kept
/// in memory.
///
/// Its methods block on disk I/O: they are for slow work and must never be called on a loop.
final class GenerationArchive: Sendable {
    /// Maximum number of generations kept per zone.
    static let generationsMax = 16
    /// Maximum number of bytes kept per zone: of a large zone fewer generations are kept, but always the newest.
    static let bytesMax = 64 << 20

    private static let suffix = ".generation"
    private static let form = "reflector-generation-2"

    /// A generation that is kept.
    private struct Entry {
        var serial: UInt32
        var size: Int
        /// The file's content if there is no directory.
        var bytes: [UInt8]?
    }

    private let directory: String?
    private let logger: Logger
    /// By zone, oldest first.
    private let entries = Mutex<[String: [Entry]]>([:])

    /// Finds the generations that an earlier run stored.
    init(directory: String?, logger: Logger) {
        self.directory = directory
        self.logger = logger
        guard let directory, let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else { return }
        var found: [String: [Entry]] = [:]
        for name in names where name.hasSuffix(Self.suffix) {
            let parts = name.dropLast(Self.suffix.count)
            guard let dot = parts.lastIndex(of: "."), let serial = UInt32(parts[parts.index(after: dot)...]) else {
                continue
            }
            let size = (try? FileManager.default.attributesOfItem(atPath: "\(directory)/\(name)"))?[.size] as? NSNumber
            found[String(parts[..<dot]), default: []].append(Entry(serial: serial, size: size?.intValue ?? 0))
        }
        entries.withLock { entries in
            entries = found.mapValues { list in
                // The serials of one zone are within half of the serial space (RFC 1982).
                list.sorted { ZoneSerial.isAfter($1.serial, $0.serial) }
            }
        }
    }

    /// Stores a generation, and removes those beyond the limits.
    func keep(_ content: ZoneContent, serial: UInt32) {
        let payload: Data
        do {
            payload = try JSONEncoder().encode(content)
        } catch {
            logger.error("generation not stored", metadata: ["zone": "\(content.zone)", "why": "\(error)"])
            return
        }
        var entry = Entry(serial: serial, size: payload.count, bytes: nil)
        if let directory {
            var file = Data("\(Self.form) \(content.zone) \(serial) \(Self.digest(payload))\n".utf8)
            file.append(payload)
            do {
                try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
                try file.write(to: URL(fileURLWithPath: path(directory, content.zone, serial)), options: .atomic)
            } catch {
                logger.error("generation not stored", metadata: ["zone": "\(content.zone)", "why": "\(error)"])
                return
            }
        } else {
            entry.bytes = Array(payload)
        }
        let dropped = entries.withLock { entries in
            var list = (entries[content.zone] ?? []).filter { $0.serial != serial } + [entry]
            var dropped: [UInt32] = []
            while list.count > 1,
                list.count > Self.generationsMax || list.reduce(0, { $0 + $1.size }) > Self.bytesMax
            {
                dropped.append(list.removeFirst().serial)
            }
            entries[content.zone] = list
            return dropped
        }
        remove(zone: content.zone, dropped)
    }

    /// Removes the zones that are no longer served.
    func retain(zones: [String]) {
        let dropped = entries.withLock { entries in
            let gone = entries.filter { !zones.contains($0.key) }
            for zone in gone.keys { entries[zone] = nil }
            return gone
        }
        for (zone, list) in dropped { remove(zone: zone, list.map(\.serial)) }
    }

    var zones: [String] { entries.withLock { $0.keys.sorted() } }

    func serials(of zone: String) -> [UInt32] { entries.withLock { ($0[zone] ?? []).map(\.serial) } }

    /// A stored generation; nil if it is not stored or can't be read.
    func content(of zone: String, serial: UInt32) -> ZoneContent? {
        guard let entry = entries.withLock({ $0[zone]?.first { $0.serial == serial } }) else { return nil }
        do {
            if let bytes = entry.bytes { return try JSONDecoder().decode(ZoneContent.self, from: Data(bytes)) }
            guard let directory else { return nil }
            return try read(path(directory, zone, serial), zone: zone, serial: serial)
        } catch {
            logger.error(
                "stored generation ignored", metadata: ["zone": "\(zone)", "serial": "\(serial)", "why": "\(error)"])
            entries.withLock { $0[zone]?.removeAll { $0.serial == serial } }
            return nil
        }
    }

    /// The newest generation that can be read.
    func latest(of zone: String) -> (content: ZoneContent, serial: UInt32)? {
        for serial in serials(of: zone).reversed() {
            if let content = content(of: zone, serial: serial) { return (content, serial) }
        }
        return nil
    }

    private struct Damaged: Error, CustomStringConvertible {
        var description: String
    }

    private func read(_ path: String, zone: String, serial: UInt32) throws -> ZoneContent {
        let file = try Data(contentsOf: URL(fileURLWithPath: path))
        guard let end = file.firstIndex(of: UInt8(ascii: "\n")) else { throw Damaged(description: "no first line") }
        let payload = Data(file[file.index(after: end)...])
        let wanted = "\(Self.form) \(zone) \(serial) \(Self.digest(payload))"
        guard String(decoding: file[..<end], as: UTF8.self) == wanted else {
            throw Damaged(description: "\(path): wrong digest; the file is damaged")
        }
        let content = try JSONDecoder().decode(ZoneContent.self, from: payload)
        guard content.zone == zone else { throw Damaged(description: "\(path): holds zone \(content.zone)") }
        return content
    }

    private func remove(zone: String, _ serials: [UInt32]) {
        guard let directory else { return }
        for serial in serials { try? FileManager.default.removeItem(atPath: path(directory, zone, serial)) }
    }

    private func path(_ directory: String, _ zone: String, _ serial: UInt32) -> String {
        "\(directory)/\(zone).\(serial)\(Self.suffix)"
    }

    /// Detects torn and corrupt files, not tampering.
    private static func digest(_ payload: Data) -> String {
        var hash = FixedHash.combine(0, UInt64(payload.count))
        var word: UInt64 = 0
        for (number, byte) in payload.enumerated() {
            word = word << 8 | UInt64(byte)
            if number & 7 == 7 { hash = FixedHash.combine(hash, word) }
        }
        return NodeID(FixedHash.combine(hash, word)).description
    }
}
