import Glibc
import SecretFiles

/// The first steps of every daemon.
enum ProcessSetUp {
    /// Raises the limit of open files to the system's maximum (each viewer needs one; login shells and systemd start
    /// programs with 1,024), and ignores SIGPIPE and, until the daemon can reload, SIGHUP. Forbids core dumps, since
    /// private keys would be in them.
    static func run() {
        ProcessMemory.forbidDumps()
        signal(SIGPIPE, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        raiseOpenFiles()
    }

    /// Opens /dev/null for standard input, output or error if one is closed: otherwise the next file or socket would
    /// get its number, and log lines would be written to it. Call it before opening anything else.
    static func openStandardFiles() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // `open` uses the lowest free number, which is this one.
            _ = open("/dev/null", O_RDWR)
        }
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
