import Foundation
import Glibc
import NIOPosix

/// A program that runs beside us on a chosen processor and ends when we end, for whatever reason.
///
/// The kernel kills it when the thread that started it ends, and task threads come and go; so one thread that never
/// ends starts all of them.
struct Companion {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let pid: pid_t

    /// - Parameters:
    ///   - processor: processor to run on; nil: any, at real-time priority, so that other work on the machine does not
    ///     affect the measurement.
    ///   - output: file for its standard output; its errors go to `log`.
    init(_ words: [String], processor: Int?, output: String? = nil, log: String) throws {
        pid = try MultiThreadedEventLoopGroup.singleton.next().submit {
            try Self.start(words, processor: processor, output: output, log: log)
        }.wait()
    }

    private static func start(_ words: [String], processor: Int?, output: String?, log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, STDOUT_FILENO, output ?? log, O_WRONLY | O_CREAT | (output == nil ? O_APPEND : O_TRUNC), 0o644)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        // Both replace themselves by the program (execve), so that the process we start is the program itself.
        let manner = processor.map { ["taskset", "-c", "\($0)"] } ?? ["chrt", "--rr", "10"]
        let all = ["setpriv", "--pdeathsig", "KILL"] + manner + words
        var vector: [UnsafeMutablePointer<CChar>?] = all.map { strdup($0) }
        vector.append(nil)
        defer { vector.forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawnp(&pid, all[0], &actions, nil, vector, environ)
        guard code == 0 else { throw Failure(description: "\(words[0]): \(String(cString: strerror(code)))") }
        return pid
    }

    /// Ends it and waits for its end.
    func end(_ signal: Int32 = SIGKILL) {
        kill(pid, signal)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
    }

    /// Waits until it ends on its own; true if it succeeded.
    func wait() -> Bool {
        var status: Int32 = 0
        return waitpid(pid, &status, 0) == pid && status == 0
    }
}
