import ArgumentParser
import Glibc

@main
struct Reflector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reflector",
        abstract: "A live-stream transport network, steered by DNS.",
        discussion: """
            Start with 'reflector up': a whole network on loopback addresses, fed by a test stream.
            Exit status: 0 good, 1 problems found, 2 wrong usage.
            """,
        version: "reflector 0.1.0",
        subcommands: [
            UpCommand.self, StatusCommand.self, TraceCommand.self, NameServerCommand.self, EntrypointCommand.self,
            SetCommand.self, EdgeCommand.self, PushCommand.self, RequestCommand.self, ZoneCommand.self,
            OverrideCommand.self,
            KeysCommand.self, Impair.self,
            Simulate.self,
            WithParent.self,
        ])

    /// Commands run in a task, and the first thread only handles the process's signals. With an `async` main, the first
    /// thread would end up in Dispatch as a thread that glibc considers exiting. glibc then skips that thread when the
    /// process changes its user (`nameserver --user`): the thread would stay root.
    static func main() {
        ProcessSetUp.openStandardFiles()
        Task.detached { await runToTheEnd() }
        while true { pause() }
    }

    /// Like ArgumentParser's `main`, but wrong usage exits with 2 instead of 64, the code of sysexits.
    private static func runToTheEnd() async -> Never {
        do {
            try CommandTree.checkHelp(CommandLine.arguments.dropFirst())
            try CommandTree.checkSubcommands(CommandLine.arguments.dropFirst())
            let command = try parseAsRoot()
            do {
                try await run(command)
                exit()
            } catch let error as ValidationError {
                StandardError.print(CommandTree.message(error, of: type(of: command)))
                throw ExitCode(2)
            }
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            StandardError.print(fullMessage(for: error))
            exit(withError: ExitCode(2))
        }
    }

    private static func run(_ command: any ParsableCommand) async throws {
        if var command = command as? any AsyncParsableCommand {
            try await command.run()
        } else {
            var command = command
            try command.run()
        }
    }
}
