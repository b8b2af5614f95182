import Glibc

/// The first steps of every daemon.
enum ProcessSetUp {
    /// Raises the limit of open files to the system's maximum (each viewer needs one; login shells and systemd start
    /// programs with 1,024), and ignores SIGPIPE and, until it can reload, SIGHUP.
    static func run() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        raiseOpenFiles()
    }

    /// Raises the soft limit to the hard one. Returns the limit in force.
    @discardableResult
    static func raiseOpenFiles() -> UInt64 {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return UInt64(before) }
        return UInt64(limit.rlim_cur)
    }
}
