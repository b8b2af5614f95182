import Glibc

/// What the file system says of the files of a directory, links followed. Two that differ mean a change, even if no event
/// told of it: inotify knows nothing of what others do on a network file system, or in a layer below.
struct DirectoryFingerprint: Equatable {
    private struct File: Equatable {
        var name: String
        var device: UInt64
        var number: UInt64
        var mode: UInt32
        var owner: UInt32
        var size: Int64
        var changed: (seconds: Int, nanoseconds: Int)

        static func == (a: File, b: File) -> Bool {
            (a.name, a.device, a.number, a.mode, a.owner, a.size) == (b.name, b.device, b.number, b.mode, b.owner, b.size)
                && a.changed == b.changed
        }
    }

    /// Most files that are looked at.
    private static let filesMax = 4_096

    /// Nil if the directory can't be listed.
    private let files: [File]?

    init(_ directory: String) {
        guard let listing = opendir(directory) else {
            files = nil
            return
        }
        defer { closedir(listing) }
        var found: [File] = []
        while found.count < Self.filesMax, let entry = readdir(listing) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            var status = stat()
            let isThere = stat(directory + "/" + name, &status) == 0
            guard isThere, status.st_mode & S_IFMT != S_IFDIR || !name.hasPrefix(".") else { continue }
            found.append(
                File(
                    name: name, device: UInt64(status.st_dev), number: UInt64(status.st_ino), mode: status.st_mode,
                    owner: status.st_uid, size: Int64(status.st_size),
                    changed: (status.st_ctim.tv_sec, status.st_ctim.tv_nsec)))
        }
        files = found.sorted { $0.name < $1.name }
    }
}
