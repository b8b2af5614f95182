import ArgumentParser

/// What a relay costs and how it delivers: ours beside a floor in C and the programs that others use.
@main
struct RelayBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-bench", abstract: "Cost and delivery of relays, ours and others'.",
        subcommands: [
            CompareCommand.self, LoadCommand.self, ReportCommand.self, CoreCommand.self, IdleCommand.self,
            DeliverCommand.self, DeliveryCommand.self,
            DeliveryTable.self, DeathsCommand.self,
        ])
}
