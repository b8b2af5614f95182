import Glibc
import LocalNetwork

/// A command whose standard output is pushed. It ends when this process ends, even by `kill -9`, so it must be started
/// on a thread that lives as long as this process.
struct PushSource {
    /// The descriptor to read from.
    let descriptor: Int32
    private let process: ChildProcess

    static func start(_ command: [String]) throws(ChildProcess.StartFailure) -> PushSource {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw .init(command: command[0], code: errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        do throws(ChildProcess.StartFailure) {
            let process = try ChildProcess.spawn(command) { files in
                posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO)
            }
            return PushSource(descriptor: ends[0], process: process)
        } catch {
            close(ends[0])
            throw error
        }
    }

    /// Waits for the end. After a signal, the status is 128 plus the signal's number, as in shells.
    func exitCode() -> Int32 {
        close(descriptor)
        return process.wait().shellCode
    }
}
