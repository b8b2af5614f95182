import Glibc
import LocalNetwork

/// A command whose standard output is pushed. It ends when this process ends, even by `kill -9`, so it must be started
/// on a thread that lives as long as this process.
struct PushSource {
    /// The descriptor to read from.
    let descriptor: Int32
    private let pid: pid_t

    static func start(_ command: [String]) throws(ChildProcess.StartFailure) -> PushSource {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .init(command: command[0], code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        let words = ["reflector", "with-parent", "\(getpid())"] + command
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        vector.append(nil)
        defer { vector.forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, "/proc/self/exe", &actions, nil, vector, environ)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw .init(command: command[0], code: code)
        }
        return PushSource(descriptor: ends[0], pid: pid)
    }

    /// Waits for the end. After a signal, the status is 128 plus the signal's number, as in shells.
    func exitCode() -> Int32 {
        close(descriptor)
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }
}
