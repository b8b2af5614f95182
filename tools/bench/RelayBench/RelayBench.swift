import ArgumentParser

/// Cost and delivery of a relay: ours compared with a floor in C and with other programs.
@main
struct RelayBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-bench", abstract: "Cost and delivery of relays, ours and others'.",
        subcommands: [
            CompareCommand.self, LoadCommand.self, ReportCommand.self, CoreCommand.self, IdleCommand.self,
            DeliverCommand.self, DeliveryCommand.self,
            DeliveryTable.self, DeathsCommand.self, HandshakeCommand.self, FloodCommand.self, ReconnectCommand.self,
        ])
}
