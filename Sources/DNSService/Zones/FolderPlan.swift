import Glibc
import ZoneCompiler

/// The directories and files to watch so that no change of a folder is missed: every directory on the path to the
/// folder, including the paths of symbolic links, the folder itself, and its files (a hard link or a link's target may
/// be written under another name).
struct FolderPlan: Equatable {
    /// Maximum number of links followed on one path, as in the kernel.
    private static let linksMax = 40

    /// What to watch for in a directory.
    struct Interest: Equatable {
        /// Its entries that lie on a path to the folder or its files.
        var names: Set<String> = []
        /// The directory is the folder: all zone files in it are watched.
        var isFolder = false
    }

    /// Directories by path, with links resolved.
    private(set) var directories: [String: Interest] = [:]
    /// Paths of the zone files, with links resolved.
    private(set) var files: [String] = []
    /// Path of the folder, with links resolved; nil while it does not exist.
    private(set) var folder: String?

    /// - Parameter path: absolute, or relative to the working directory.
    init(_ path: String) {
        folder = follow(Self.absolute(path))
        guard let folder else { return }
        directories[folder, default: Interest()].isFolder = true
        for name in Self.names(in: folder) where ZoneDirectory.isPart(name) {
            if let file = follow(folder + "/" + name) { files.append(file) }
        }
    }

    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let here = getcwd(nil, 0) else { return path }
        defer { free(here) }
        return String(cString: here) + "/" + path
    }

    /// Entries of a directory, sorted; none if it can't be read.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            names.append(
                withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
        }
        return names.sorted()
    }

    /// Follows a path component by component and records each directory on the way. Returns the path with links
    /// resolved; nil if a component is missing.
    private mutating func follow(_ path: String) -> String? {
        var waiting = Self.components(path)
        var current = ""
        var links = 0
        while let name = waiting.popLast() {
            if name == "." { continue }
            if name == ".." {
                current = current.lastIndex(of: "/").map { String(current[..<$0]) } ?? ""
                continue
            }
            directories[current.isEmpty ? "/" : current, default: Interest()].names.insert(name)
            let next = current + "/" + name
            var status = stat()
            guard lstat(next, &status) == 0 else { return nil }
            guard status.st_mode & S_IFMT == S_IFLNK else {
                current = next
                continue
            }
            links += 1
            guard links <= Self.linksMax, let target = Self.target(of: next) else { return nil }
            if target.hasPrefix("/") { current = "" }
            waiting += Self.components(target)
        }
        return current.isEmpty ? "/" : current
    }

    /// Components of a path in reverse order.
    private static func components(_ path: String) -> [String] {
        path.split(separator: "/").reversed().map(String.init)
    }

    private static func target(of link: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(link, $0.assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}

/// Metadata of a folder's files. If two signatures are equal, nothing was written between them.
struct FolderSignature: Equatable {
    private struct Entry: Equatable {
        var name: String
        var device: UInt64
        var number: UInt64
        var mode: UInt32
        var size: Int64
        /// Modification and change time: a copy may reset the first, never the second.
        var times: [Int]
        var error: Int32
    }

    private var entries: [Entry] = []

    init(_ path: String) {
        entries.append(Self.entry(path, name: ""))
        for name in FolderPlan.names(in: path) where ZoneDirectory.isPart(name) {
            entries.append(Self.entry(path + "/" + name, name: name))
        }
        // The folder's own times change with every temporary file of an editor.
        entries[0].times = []
        entries[0].size = 0
    }

    private static func entry(_ path: String, name: String) -> Entry {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return Entry(name: name, device: 0, number: 0, mode: 0, size: 0, times: [], error: errno)
        }
        return Entry(
            name: name, device: UInt64(status.st_dev), number: UInt64(status.st_ino), mode: status.st_mode,
            size: Int64(status.st_size),
            times: [status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec],
            error: 0)
    }
}
