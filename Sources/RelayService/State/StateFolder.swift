import Glibc

/// A folder for state: created if it is missing, and checked for write access at the start, before there is state to
/// lose.
public enum StateFolder {
    /// Why the folder cannot be used.
    public struct Unusable: Error, Sendable, Equatable, CustomStringConvertible {
        public var path: String
        /// The `errno` of the call that failed.
        public var code: Int32
        public var description: String { "\(path): \(String(cString: strerror(code)))" }

        public init(path: String, code: Int32) {
            self.path = path
            self.code = code
        }
    }

    /// Creates a folder and its parents, as `mkdir -p` does, and checks that files can be created in it.
    public static func make(_ path: String) throws(Unusable) {
        guard !path.isEmpty else { throw Unusable(path: path, code: ENOENT) }
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<end])
            guard mkdir(part, 0o777) != 0 else { continue }
            let code = errno
            // An existing folder may have a parent in which we may not create folders: mkdir then fails with errors
            // other than EEXIST.
            var status = stat()
            guard code == EEXIST || stat(part, &status) == 0 else { throw Unusable(path: part, code: code) }
        }
        // The mode bits are not sufficient: they do not limit root, and the file system may not accept files.
        let trial = "\(path)/.trial-\(getpid())"
        let descriptor = open(trial, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Unusable(path: path, code: errno) }
        close(descriptor)
        unlink(trial)
    }
}
