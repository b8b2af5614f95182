import Glibc

/// Open files that this process may have.
enum OpenFiles {
    /// What logs, sockets and state files need beside connections.
    private static let spare = 64

    /// How many of them connections may take: a server that has none left could not even refuse.
    static var forConnections: Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1_024 - spare }
        return max(Int(clamping: limit.rlim_cur) - spare, 16)
    }
}
