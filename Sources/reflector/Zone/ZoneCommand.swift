import ArgumentParser

/// `reflector zone …`: all checks of a directory of zone files before a name server reads it.
struct ZoneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zone",
        abstract: "Check, explain, compare and export a directory of zone files.",
        discussion: """
            A directory holds, for each zone, ZONE.zone (a master file: SOA, NS, addresses), ZONE.portsets (which set \
            regions serve which portsets of which regions), ZONE.streams (the streams) and, if certificates of nodes \
            were revoked, ZONE.revocations (the signed list of them).

            Before an edit goes live:
              reflector zone check zones               # is it right?
              reflector zone diff zones.old zones      # what does it move?
              reflector zone explain n1.r1283.s4096 zones
            """,
        subcommands: [
            ZoneCheck.self, ZoneExplain.self, ZoneListCommand.self, ZoneDiffCommand.self, ZoneExportCommand.self,
            ZoneAcceptCommand.self, ZoneSerialCommand.self,
        ])
}
