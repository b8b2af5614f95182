import Glibc

/// Folders of secrets.
public enum PrivateFolder {
    /// Creates a folder of mode 0700, and its parents of mode 0755, as far as they are missing.
    public static func make(_ path: String) throws(PrivateFile.Failure) {
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<end])
            guard mkdir(part, end == path.endIndex ? 0o700 : 0o755) != 0 else { continue }
            let code = errno
            // An existing folder may have a parent in which we may not create folders: mkdir then fails with errors
            // other than EEXIST.
            var status = stat()
            guard code == EEXIST || stat(part, &status) == 0 else {
                throw .system(call: "mkdir", path: part, code: code)
            }
        }
    }
}
