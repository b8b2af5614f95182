import ArgumentParser
import Hummingbird
import Logging

@main
struct Reflector: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "reflector", subcommands: [Impair.self, Simulate.self])
}
