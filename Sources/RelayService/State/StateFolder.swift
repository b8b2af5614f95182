import Glibc

/// A folder in which something is to be kept: made if it is missing, and seen to be writable at the start rather than
/// when there is something to lose.
public enum StateFolder {
    /// Why nothing can be kept there.
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

    /// Makes a folder and those above it, as `mkdir -p` does, and tries whether files can be made in it.
    public static func make(_ path: String) throws(Unusable) {
        guard !path.isEmpty else { throw Unusable(path: path, code: ENOENT) }
        var end = path.startIndex
        while end < path.endIndex {
            end = path[path.index(after: end)...].firstIndex(of: "/") ?? path.endIndex
            let part = String(path[..<end])
            guard mkdir(part, 0o777) != 0 else { continue }
            let code = errno
            // A folder that is there already may lie where we may make none: then there are other causes than EEXIST.
            var status = stat()
            guard code == EEXIST || stat(part, &status) == 0 else { throw Unusable(path: part, code: code) }
        }
        // The mode alone does not tell: not to root, and not of a file system that takes no files.
        let trial = "\(path)/.trial-\(getpid())"
        let descriptor = open(trial, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Unusable(path: path, code: errno) }
        close(descriptor)
        unlink(trial)
    }
}
