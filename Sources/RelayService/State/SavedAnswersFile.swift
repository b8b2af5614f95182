import Foundation
import ReflectorModel
import SecretFiles

/// The file that keeps a node's last good answers across restarts: small JSON, replaced atomically. The node needs it
/// only if it starts while no name server answers, so a damaged file is reported and treated as empty.
public struct SavedAnswersFile: Sendable {
    /// Largest file that is read, in bytes.
    public static let bytesMax = 8 << 20
    /// Version of the format below; another version is treated as damage.
    static let version = 1

    public let path: String

    public init(path: String) { self.path = path }

    /// Reads the saved answers. Also returns a sentence about the problem if the file, or an entry, could not be used.
    /// A missing file is not a problem.
    public func load() -> (answers: SavedAnswers, problem: String?) {
        let text: String
        do throws(PrivateFile.Failure) {
            text = try PrivateFile.read(path, bytesMax: Self.bytesMax)
        } catch .system(call: "open", path: path, code: ENOENT) {
            return (SavedAnswers(), nil)
        } catch {
            return (SavedAnswers(), error.description)
        }
        do {
            let document = try JSONDecoder().decode(Document.self, from: Data(text.utf8))
            guard document.version == Self.version else {
                let problem = "\(path): version \(document.version), not \(Self.version); starting without it"
                return (SavedAnswers(), problem)
            }
            var answers = SavedAnswers()
            var skipped = 0
            for name in document.names {
                if let entry = name.entry { answers.insert(entry, key: name.name) } else { skipped += 1 }
            }
            return (answers, skipped == 0 ? nil : "\(path): \(skipped) entries could not be read and were skipped")
        } catch {
            return (SavedAnswers(), "\(path): damaged, starting without it")
        }
    }

    /// Why a state file was not written.
    public struct WriteError: Error, CustomStringConvertible {
        public var description: String
    }

    /// Replaces the file atomically, and waits until it is on the disk. Blocks, so it must not be called on the packet
    /// path.
    public func save(_ answers: SavedAnswers) throws(WriteError) {
        let names = answers.entries.sorted { $0.key < $1.key }.map { Document.Name($0.key, $0.value) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(Document(version: Self.version, names: names)) else {
            throw WriteError(description: "\(path): cannot encode")
        }
        do throws(PrivateFile.Failure) {
            try PrivateFile.replace(path, bytes: Array(data))
        } catch {
            throw WriteError(description: error.description)
        }
    }

    /// The file's format.
    fileprivate struct Document: Codable {
        var version: Int
        var names: [Name]

        struct Name: Codable {
            var name: String
            var savedAt: Int64
            var ttl: UInt32
            var serial: UInt32?
            var portset: UInt16?
            var text: [String]
            var hosts: [Host]
        }

        struct Host: Codable {
            var name: String
            var endpoint: String
            var priority: UInt16
            var weight: UInt16
        }
    }
}

extension SavedAnswersFile.Document.Name {
    fileprivate init(_ name: String, _ entry: SavedAnswers.Entry) {
        let answer = entry.answer
        self.init(
            name: name, savedAt: entry.savedAt, ttl: answer.ttlSeconds, serial: answer.serial,
            portset: answer.portset?.rawValue, text: answer.text,
            hosts: answer.hosts.map {
                .init(name: $0.name, endpoint: $0.endpoint.description, priority: $0.priority, weight: $0.weight)
            })
    }

    /// Nil if a host's address cannot be read or there is no host.
    fileprivate var entry: SavedAnswers.Entry? {
        var resolved: [ResolvedHost] = []
        for host in hosts {
            guard let endpoint = Endpoint(host.endpoint) else { return nil }
            resolved.append(
                ResolvedHost(name: host.name, endpoint: endpoint, priority: host.priority, weight: host.weight))
        }
        guard !resolved.isEmpty else { return nil }
        return SavedAnswers.Entry(
            answer: LookUpAnswer(
                hosts: resolved, ttlSeconds: ttl, text: text, serial: serial, portset: portset.map { PortsetID($0) }),
            savedAt: savedAt)
    }
}
