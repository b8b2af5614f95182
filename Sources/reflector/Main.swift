import ArgumentParser
import Hummingbird
import Logging

@main
struct Reflector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reflector",
        abstract: "A live-stream transport network steered by DNS.",
        subcommands: [NameServerCommand.self, ZoneCommand.self])
}
