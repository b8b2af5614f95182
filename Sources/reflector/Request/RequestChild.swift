import Foundation
import Glibc
import LocalNetwork
import Synchronization

/// The command of `reflector request`, with our standard output and error. It ends with this process, even by `kill -9`:
/// some streaming servers end their hooks that way.
final class RequestChild: Sendable {
    private enum State {
        case starting
        case failed(Int32)
        case running(pid_t)
        case ended(Int32)
    }

    private let state = Mutex(State.starting)

    /// Starts a command. The thread that starts it waits for its end: the kernel ends it when that thread ends.
    static func start(_ command: [String]) async throws(ChildProcess.StartFailure) -> RequestChild {
        let child = RequestChild()
        let code = await withCheckedContinuation { continuation in
            let thread = Thread { child.run(command) { continuation.resume(returning: $0) } }
            thread.name = "command"
            thread.start()
        }
        guard code == 0 else { throw .init(command: command[0], code: code) }
        return child
    }

    func send(_ signal: Int32) {
        state.withLock { state in
            // Under the lock, so that the number is not that of another process meanwhile.
            if case .running(let pid) = state { kill(pid, signal) }
        }
    }

    /// The exit status, or 128 plus the number of the signal that ended it; nil while it runs.
    var exitCode: Int32? {
        state.withLock { state in
            if case .ended(let code) = state { return code }
            return nil
        }
    }

    private func run(_ command: [String], onStart: (Int32) -> Void) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        let words = ["reflector", "with-parent", "\(getpid())"] + command
        var vector: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        vector.append(nil)
        defer { vector.forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, "/proc/self/exe", &actions, nil, vector, environ)
        guard code == 0 else {
            state.withLock { $0 = .failed(code) }
            return onStart(code)
        }
        state.withLock { $0 = .running(pid) }
        onStart(0)
        var information = siginfo_t()
        // Waits without removing the process, so that its number stays reserved until the state says that it has ended.
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
        state.withLock { state in
            var status: Int32 = 0
            waitpid(pid, &status, 0)
            let signal = status & 0x7f
            state = .ended(signal == 0 ? (status >> 8) & 0xff : 128 + signal)
        }
    }
}
