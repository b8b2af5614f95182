import Glibc

/// What every daemon does first.
enum ProcessSetUp {
    /// Raises the limit of open files to what the system allows (a viewer is one; login shells and systemd start programs
    /// with 1,024), and outlives readers of its pipes and, until it can reload, SIGHUP.
    static func run() {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGHUP, SIG_IGN)
        raiseOpenFiles()
    }

    /// Opens what is closed of standard input, output and error: their numbers would go to the next files and sockets, and
    /// log lines into them. To be called before anything else is opened.
    static func openStandardFiles() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) < 0 {
            // Takes the lowest free number, which is this one.
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
