import ArgumentParser

@main
struct Reflector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reflector",
        abstract: "A live-stream transport network, steered by DNS.",
        discussion: """
            Start with 'reflector up': a whole network on loopback addresses, fed by a test stream.
            Exit status: 0 good, 1 problems found, 2 wrong usage.
            """,
        subcommands: [
            UpCommand.self, StatusCommand.self, TraceCommand.self, NameServerCommand.self, EntrypointCommand.self,
            SetCommand.self, EdgeCommand.self, ZoneCommand.self, KeysCommand.self, Impair.self, Simulate.self,
            WithParent.self,
        ])
}
