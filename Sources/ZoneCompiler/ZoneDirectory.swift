import DNSAnswers
import Foundation
import Glibc

/// One generation of a directory: its files as read, and the result of compiling them.
public struct ZoneGeneration: Sendable {
    /// Names (without directory) and bytes, sorted by name. Equal files mean an equal generation. Files of an unknown
    /// kind are not read and have no bytes.
    public var files: [(name: String, bytes: [UInt8])]
    public var compiled: CompiledZones

    public var contents: [ZoneContent] { compiled.contents }
    public var problems: [ZoneProblem] { compiled.problems }
    /// True if the generation is refused.
    public var hasErrors: Bool { compiled.hasErrors }

    /// For each zone, the kinds of files that it has in addition to its `.zone` file: `portsets`, `streams`,
    /// `revocations`.
    public var sidecars: [String: Set<String>] {
        var result: [String: Set<String>] = [:]
        for file in files {
            guard case .part(let kind, let stem) = FileKind.of(file.name) else { continue }
            var kinds = result[stem.lowercased()] ?? []
            if kind != .zone { kinds.insert("\(kind)") }
            result[stem.lowercased()] = kinds
        }
        return result
    }
}

/// Reads a `zones/` directory, always as a whole, because the files of a generation are checked together.
public enum ZoneDirectory {
    /// Maximum number of files.
    static let filesMax = 512
    /// Maximum total size of the files in bytes.
    static let bytesMax = 256 << 20

    /// The directory itself could not be read.
    public struct Unreadable: Error, Sendable, CustomStringConvertible {
        public var path: String
        public var reason: String
        public var description: String { "\(path): \(reason)" }
    }

    /// True for the name of a zone's file; false for temporary files of editors and other files.
    public static func isPart(_ name: String) -> Bool {
        if case .part = FileKind.of(name) { true } else { false }
    }

    /// Reads and compiles a directory. Files that can't be read are problems of the generation.
    public static func compile(_ path: String) throws(Unreadable) -> ZoneGeneration {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            throw Unreadable(path: path, reason: "\(reason(path)); give the folder of the .zone files")
        }
        var files: [(name: String, bytes: [UInt8])] = []
        var problems: [ZoneProblem] = []
        var total = 0
        for name in names {
            guard case .part = FileKind.of(name) else {
                if FileKind.of(name) == .unknown { files.append((name, [])) }
                continue
            }
            let file = path + "/" + name
            let bytes: [UInt8]
            do throws(ZoneFileReader.Unreadable) {
                bytes = try ZoneFileReader.read(file)
            } catch {
                problems.append(unreadable(name, error.message))
                continue
            }
            total += bytes.count
            guard total <= bytesMax, files.count < filesMax else {
                problems.append(
                    unreadable(name, "the directory is over \(filesMax) files or \(bytesMax) bytes; split it"))
                break
            }
            files.append((name, bytes))
        }
        var compiled = ZoneCompiler.compile(files: files, unreadable: Set(problems.map(\.file)))
        if !problems.isEmpty {
            compiled.problems = (compiled.problems + problems).sorted()
            compiled.contents = []
        }
        return ZoneGeneration(files: files, compiled: compiled)
    }

    private static func reason(_ path: String) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { return String(cString: strerror(errno)).lowercased() }
        guard status.st_mode & S_IFMT == S_IFDIR else { return "not a folder" }
        return access(path, R_OK | X_OK) == 0 ? "can't be read" : "no permission to read it"
    }

    private static func unreadable(_ name: String, _ message: String) -> ZoneProblem {
        ZoneProblem(severity: .error, file: name, line: 1, column: 1, message: message)
    }
}
