import Glibc
import Testing

@testable import LocalNetwork

@Suite("Child processes")
struct ChildProcessTests {
    private func run(_ script: String) throws -> ChildProcess {
        try ChildProcess.spawn(["sh", "-c", script], reflector: Program.reflector) { files in
            posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
    }

    @Test("A child's end is reported once, by its exit code or its signal, and as shells report it")
    func ends() throws {
        let failed = try run("exit 7").wait()
        #expect(failed == .code(7) && failed.shellCode == 7)
        let killed = try run("kill -TERM $$").wait()
        #expect(killed == .signal(SIGTERM) && killed.shellCode == 128 + SIGTERM)
        let process = try run("exit 0")
        process.waitWithoutReport()
        #expect(process.exit() == .code(0))
        #expect(process.exit() == nil)
    }

    @Test("A signal ends a child")
    func signal() throws {
        let process = try run("sleep 60")
        #expect(process.exit() == nil)
        process.send(SIGKILL)
        #expect(process.wait() == .signal(SIGKILL))
    }
}
