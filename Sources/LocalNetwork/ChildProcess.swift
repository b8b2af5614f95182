import Glibc

/// A child process that does not outlive this process: it runs through `reflector with-parent`, which asks the kernel
/// to kill it when the thread that started it ends, for whatever reason. So call `start` or `spawn` on a thread that lives
/// as long as this process.
public struct ChildProcess: Sendable {
    /// How a process ended.
    public enum Exit: Sendable, Equatable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

        /// - Parameter status: as waitpid(2) reports it.
        init(status: Int32) {
            let signal = status & 0x7f
            self = signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
        }

        /// The exit code as shells report it: 128 plus the number of a signal.
        public var shellCode: Int32 {
            switch self {
            case .code(let code): code
            case .signal(let number): 128 + number
            }
        }

        public var description: String {
            switch self {
            case .code(let code): "ended with exit code \(code)"
            case .signal(let number): "was ended by signal \(number) (\(String(cString: strsignal(number))))"
            }
        }
    }

    /// The process could not be started.
    public struct StartFailure: Error, CustomStringConvertible {
        /// The command, as given.
        public var command: String
        /// The errno.
        public var code: Int32

        public init(command: String, code: Int32) {
            self.command = command
            self.code = code
        }

        public var description: String { "\(command): \(String(cString: strerror(code)))" }
    }

    let pid: pid_t

    /// Starts a command in its own process group (Ctrl-C at the terminal reaches only this process) and appends its
    /// output to a log file.
    /// - Parameters:
    ///   - reflector: path of our executable, which makes the child end with this process.
    ///   - command: path, or a name to look up on the PATH.
    static func start(
        reflector: String, command: String, arguments: [String], log: String
    ) throws(StartFailure) -> ChildProcess {
        try spawn([command] + arguments, reflector: reflector, inOwnGroup: true) { files in
            posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
            posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO)
        }
    }

    /// Starts a command.
    /// - Parameters:
    ///   - command: path, or a name to look up on the PATH; and its arguments.
    ///   - reflector: path of our executable, which makes the child end with this process.
    ///   - inOwnGroup: gives the child a process group of its own, and the default action for each signal.
    ///   - open: says which files the child gets, apart from ours.
    public static func spawn(
        _ command: [String], reflector: String = "/proc/self/exe", inOwnGroup: Bool = false,
        open: (inout posix_spawn_file_actions_t) -> Void
    ) throws(StartFailure) -> ChildProcess {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        open(&files)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        if inOwnGroup { separate(&attributes) }

        let words = ["reflector", "with-parent", "\(getpid())"] + command
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        vector.append(nil)
        defer { vector.forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, reflector, &files, &attributes, vector, environ)
        guard code == 0 else { throw StartFailure(command: command[0], code: code) }
        return ChildProcess(pid: pid)
    }

    private static func separate(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    /// Sends a signal. Does nothing if the process has ended: its pid stays reserved until `exit` or `wait` reports the
    /// end.
    public func send(_ signal: Int32) { kill(pid, signal) }

    /// How the process ended; nil while it runs. Only the first call after the end returns it.
    func exit() -> Exit? {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        return Exit(status: status)
    }

    /// Waits until the process has ended, and reports how.
    public func wait() -> Exit {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return Exit(status: status)
    }

    /// Waits until the process has ended. Its pid stays reserved.
    public func waitWithoutReport() {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }
}
