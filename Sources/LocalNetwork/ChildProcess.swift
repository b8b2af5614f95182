import Glibc

/// A child process that does not outlive this process: it runs through `reflector with-parent`, which asks the kernel
/// to kill it when the thread that started it ends, for whatever reason. So call `start` on a thread that lives as long
/// as this process.
public struct ChildProcess: Sendable {
    /// How a process ended.
    public enum Exit: Sendable, Equatable, CustomStringConvertible {
        case code(Int32)
        case signal(Int32)

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
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        posix_spawnattr_setflags(&attributes, Int16(flags))

        let words = ["reflector", "with-parent", "\(getpid())", command] + arguments
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        vector.append(nil)
        defer { vector.forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, reflector, &actions, &attributes, vector, environ)
        guard code == 0 else { throw StartFailure(command: command, code: code) }
        return ChildProcess(pid: pid)
    }

    /// Sends a signal. Does nothing if the process has ended: its pid stays reserved until `exit` reports the end.
    func send(_ signal: Int32) { kill(pid, signal) }

    /// How the process ended; nil while it runs. Only the first call after the end returns it.
    func exit() -> Exit? {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
    }
}
