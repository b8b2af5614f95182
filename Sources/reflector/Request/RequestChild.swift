import Foundation
import Glibc
import LocalNetwork
import Synchronization

/// The command of `reflector request`, with our standard output and error. It ends with this process, even by `kill -9`:
/// some streaming servers end their hooks that way.
final class RequestChild: Sendable {
    private enum State {
        case running(ChildProcess)
        case ended(ChildProcess.Exit)
    }

    private let state: Mutex<State>

    private init(_ process: ChildProcess) { state = Mutex(.running(process)) }

    /// Starts a command. The thread that starts it waits for its end: the kernel ends it when that thread ends.
    static func start(_ command: [String]) async throws(ChildProcess.StartFailure) -> RequestChild {
        let started = await withCheckedContinuation { continuation in
            let thread = Thread { run(command) { continuation.resume(returning: $0) } }
            thread.name = "command"
            thread.start()
        }
        return try started.get()
    }

    func send(_ signal: Int32) {
        state.withLock { state in
            // Under the lock, so that the number is not that of another process meanwhile.
            if case .running(let process) = state { process.send(signal) }
        }
    }

    /// The exit status, or 128 plus the number of the signal that ended it; nil while it runs.
    var exitCode: Int32? {
        state.withLock { state in
            if case .ended(let exit) = state { return exit.shellCode }
            return nil
        }
    }

    private static func run(
        _ command: [String], onStart: (Result<RequestChild, ChildProcess.StartFailure>) -> Void
    ) {
        do throws(ChildProcess.StartFailure) {
            let process = try ChildProcess.spawn(command) { files in
                posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
            }
            let child = RequestChild(process)
            onStart(.success(child))
            // The process's number stays reserved until the state says that it has ended.
            process.waitWithoutReport()
            child.state.withLock { $0 = .ended(process.wait()) }
        } catch {
            onStart(.failure(error))
        }
    }
}
