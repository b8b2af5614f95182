import ArgumentParser

@main
struct Reflector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reflector",
        subcommands: [NameServerCommand.self, ZoneCommand.self])
}
