import DNSAnswers
import Foundation

/// One generation of a directory: its files as read, and what they compile to.
public struct ZoneGeneration: Sendable {
    /// Names (without directory) and bytes, sorted: equal files mean an equal generation.
    public var files: [(name: String, bytes: [UInt8])]
    public var compiled: CompiledZones

    public var contents: [ZoneContent] { compiled.contents }
    public var problems: [ZoneProblem] { compiled.problems }
    /// True if the generation is refused.
    public var hasErrors: Bool { compiled.hasErrors }
}

/// Reads a `zones/` directory. Always whole: the files of a generation are checked together.
public enum ZoneDirectory {
    /// Most files taken into account.
    static let filesMax = 512
    /// Largest sum of their sizes in bytes.
    static let bytesMax = 256 << 20

    /// The directory itself could not be read.
    public struct Unreadable: Error, Sendable, CustomStringConvertible {
        public var path: String
        public var reason: String
        public var description: String { "\(path): \(reason)" }
    }

    /// Reads and compiles a directory. Files that can't be read are problems of the generation.
    public static func compile(_ path: String) throws(Unreadable) -> ZoneGeneration {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        } catch {
            throw Unreadable(path: path, reason: "can't be read as a directory; give the folder of the .zone files")
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
            let attributes = try? FileManager.default.attributesOfItem(
                atPath: URL(fileURLWithPath: file).resolvingSymlinksInPath().path)
            let size = (attributes?[.size] as? NSNumber)?.intValue ?? 0
            guard attributes?[.type] as? FileAttributeType == .typeRegular,
                let data = FileManager.default.contents(atPath: file)
            else {
                problems.append(unreadable(name, "can't be read as a file; check its permissions"))
                continue
            }
            total += max(size, data.count)
            guard total <= bytesMax, files.count < filesMax else {
                problems.append(
                    unreadable(name, "the directory is over \(filesMax) files or \(bytesMax) bytes; split it"))
                break
            }
            files.append((name, Array(data)))
        }
        var compiled = ZoneCompiler.compile(files: files)
        if !problems.isEmpty {
            compiled.problems = (compiled.problems + problems).sorted()
            compiled.contents = []
        }
        return ZoneGeneration(files: files, compiled: compiled)
    }

    private static func unreadable(_ name: String, _ message: String) -> ZoneProblem {
        ZoneProblem(severity: .error, file: name, line: 1, column: 1, message: message)
    }
}
