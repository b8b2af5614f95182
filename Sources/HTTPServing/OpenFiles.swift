import Glibc

/// The process's limit of open files.
enum OpenFiles {
    /// Files kept free for logs, sockets and state files.
    private static let spare = 64

    /// Maximum number of files for connections: a server without a free file could not even refuse a connection.
    static var forConnections: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 - spare }
        return max(Int(clamping: limit.rlim_cur) - spare, 16)
    }
}
