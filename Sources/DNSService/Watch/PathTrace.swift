import Glibc

/// Which directories must be watched so that no change of a directory goes unseen: its own, and those that hold a
/// component of its path, links followed. Files of it that are links lead to further directories.
///
/// So a link `current` that is swapped, a folder above that is renamed, and the target of a link that is edited are all
/// noticed, as they are with what Kubernetes and git-sync do to deliver files.
struct PathTrace: Equatable {
    /// Most directories; what is beyond them is left to the poll.
    static let directoriesMax = 256
    /// Most links in one path, as in the kernel (path_resolution(7)).
    private static let linksMax = 40
    /// Most entries of the directory that are looked at for links.
    private static let entriesMax = 4_096

    /// A directory, by a path without links, and the names in it that matter; nil for all.
    private(set) var names: [String: Set<String>?] = [:]

    init(_ path: String) {
        guard let directory = follow(path) else { return }
        guard watch(directory, nil) else { return }
        for entry in Self.links(in: directory) { _ = follow(directory + "/" + entry) }
    }

    /// Walks a path and notes each directory with the component looked up in it. Returns what it leads to, without
    /// links; nil if it ends before.
    private mutating func follow(_ path: String) -> String? {
        var reached = path.hasPrefix("/") ? "" : Self.workingDirectory
        var ahead = Self.components(of: path)
        var links = 0
        while let component = ahead.popLast() {
            if component == ".." {
                reached = reached.lastIndex(of: "/").map { String(reached[..<$0]) } ?? ""
                continue
            }
            let directory = reached.isEmpty ? "/" : reached
            guard watch(directory, component) else { return nil }
            let next = reached + "/" + component
            var status = stat()
            guard lstat(next, &status) == 0 else { return nil }
            guard status.st_mode & S_IFMT == S_IFLNK else {
                reached = next
                continue
            }
            links += 1
            guard links <= Self.linksMax, let target = Self.target(of: next) else { return nil }
            if target.hasPrefix("/") { reached = "" }
            ahead += Self.components(of: target)
        }
        return reached.isEmpty ? "/" : reached
    }

    /// - Parameter name: nil for all names in it.
    private mutating func watch(_ directory: String, _ name: String?) -> Bool {
        guard let known = names[directory] else {
            guard names.count < Self.directoriesMax else { return false }
            names[directory] = .some(name.map { [$0] })
            return true
        }
        if let known, let name { names[directory] = .some(known.union([name])) } else { names[directory] = .some(nil) }
        return true
    }

    /// The components of a path, last one first.
    private static func components(of path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.reversed().map(String.init)
    }

    private static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "" }
        defer { free(path) }
        let text = String(cString: path)
        return text == "/" ? "" : text
    }

    private static func target(of link: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = buffer.withUnsafeMutableBytes {
            readlink(link, $0.bindMemory(to: CChar.self).baseAddress, $0.count)
        }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
    }

    private static func links(in directory: String) -> [String] {
        guard let listing = opendir(directory) else { return [] }
        defer { closedir(listing) }
        var found: [String] = []
        for _ in 0..<entriesMax {
            guard let entry = readdir(listing) else { break }
            guard entry.pointee.d_type == UInt8(DT_LNK) || entry.pointee.d_type == UInt8(DT_UNKNOWN) else { continue }
            found.append(
                withUnsafePointer(to: &entry.pointee.d_name) {
                    $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
                })
        }
        return found.filter { $0 != "." && $0 != ".." }.sorted()
    }
}
