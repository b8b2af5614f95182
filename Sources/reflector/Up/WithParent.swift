import ArgumentParser
import DatagramIO
import Foundation
import Glibc

/// `reflector with-parent PID COMMAND …`, only for `up` and `push`: becomes the command, and makes the kernel terminate
/// it when the parent ends, even if the parent is killed by `kill -9` (prctl(2), PR_SET_PDEATHSIG, which survives
/// execve). So nodes and encoders end when `up` or `push` does.
struct WithParent: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "with-parent", shouldDisplay: false)

    @Argument var parent: Int32
    @Argument var command: String
    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run() throws {
        ParentProcess.endWithIt()
        // The parent may have ended before the call: then nothing would ever kill this process.
        guard getppid() == parent else { throw ExitCode(1) }
        // The command must not inherit our open files.
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
            if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
        // Threads that run tasks block signals, and the command would inherit the mask: it must receive the signal that
        // reports its parent's end.
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        // So that ps(1) shows our own nodes as `reflector edge edge-1 …`.
        let name = command == "/proc/self/exe" ? "reflector" : command
        var vector: [UnsafeMutablePointer<CChar>?] = ([name] + arguments).map { strdup($0) }
        vector.append(nil)
        execvp(command, vector)
        StandardError.print("reflector: \(command): \(String(cString: strerror(errno)))")
        throw ExitCode(127)
    }
}
