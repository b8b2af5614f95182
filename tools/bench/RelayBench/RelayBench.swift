import ArgumentParser

/// What a relay costs: ours beside a floor in C and the programs that others use.
@main
struct RelayBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-bench", abstract: "CPU time of a forwarded packet, ours and others'.",
        subcommands: [CompareCommand.self, LoadCommand.self, ReportCommand.self])
}
