import ArgumentParser
import Glibc

/// `reflector with-parent PID COMMAND …`, for `up` alone: becomes the command, and has the kernel kill it when the
/// parent ends, even by `kill -9` (prctl(2), PR_SET_PDEATHSIG, which lasts across execve).
struct WithParent: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "with-parent", shouldDisplay: false)

    @Argument var parent: Int32
    @Argument var command: String
    @Argument(parsing: .captureForPassthrough) var arguments: [String] = []

    func run() throws {
        prctl(PR_SET_PDEATHSIG, UInt(SIGKILL))
        // The parent may have ended before the call: then nobody would ever kill us.
        guard getppid() == parent else { throw ExitCode(1) }
        var vector: [UnsafeMutablePointer<CChar>?] = ([command] + arguments).map { strdup($0) }
        vector.append(nil)
        execvp(command, vector)
        StandardError.print("reflector: \(command): \(String(cString: strerror(errno)))")
        throw ExitCode(127)
    }
}
