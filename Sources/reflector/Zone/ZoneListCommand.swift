import ArgumentParser
import ReflectorModel
import ZoneCompiler

/// `reflector zone list`.
struct ZoneListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Show what uses a host, a portset or a region.",
        discussion: """
            Prints the lines that name the host, portset or region; the rectangles of the map (portsets × regions) in \
            which it appears, each with the line that wins there; and the streams that it carries.

            Exit status: 0 something uses it, 1 nothing does, 2 wrong usage or errors.

            Examples:
              reflector zone list --host nyc-1 zones        # what uses this host?
              reflector zone list --portset s4096 zones
              reflector zone list --region r1283 zones
            """)

    @Option(help: ArgumentHelp("A host of the zone, e.g. nyc-1.", valueName: "name"))
    var host: String?

    @Option(help: ArgumentHelp("A portset, e.g. s4096.", valueName: "s"))
    var portset: String?

    @Option(help: ArgumentHelp("A region, e.g. r1283.", valueName: "r"))
    var region: String?

    @Option(help: ArgumentHelp("Most rectangles of the map to print.", valueName: "n"))
    var limit = 1_000

    @Argument(help: "The directory with the .zone, .portsets and .streams files.")
    var directory: String

    @Flag(help: "Print a JSON array, one object for each zone.")
    var json = false

    func validate() throws {
        guard [host, portset, region].compactMap({ $0 }).count == 1 else {
            throw ValidationError("give one of --host, --portset and --region")
        }
        _ = try subject
        guard (1...1_000_000).contains(limit) else { throw ValidationError("--limit takes 1 to 1000000, not \(limit)") }
    }

    func run() async throws {
        let subject = try subject
        let uses = try ZoneFolder.contents(directory).map { ZoneUse(of: subject, in: $0, cellsMax: limit) }
        if json {
            try JSONOutput.print(uses)
        } else {
            for use in uses { print(use) }
        }
        if uses.allSatisfy(\.isUnused) { throw ExitCode(1) }
    }

    private var subject: ZoneUse.Subject {
        get throws {
            if let host { return .host(host) }
            if let portset {
                guard let id = PortsetID(label: portset) else {
                    throw ValidationError("--portset: '\(portset)' is not a portset, e.g. s4096")
                }
                return .portset(id)
            }
            return .region(try NodeOptions.region(region ?? ""))
        }
    }

    private func print(_ use: ZoneUse) {
        func place(_ line: ZoneExplanation.Line) -> String { "\(directory)/\(line.file):\(line.line): \(line.text)" }
        guard !use.isUnused else { return Swift.print("\(use.subject): no line uses it") }
        Swift.print(([use.subject] + use.facts).joined(separator: "  "))
        for line in use.lines { Swift.print("  \(place(line))") }
        if !use.cells.isEmpty { Swift.print("map:") }
        for cell in use.cells {
            let ranks = cell.ranks.isEmpty ? "" : cell.ranks.joined(separator: ",") + "  "
            Swift.print("  \(ranks)\(cell.portsets) × \(cell.regions)  \(place(cell.line))")
        }
        if use.isCutShort { Swift.print("  … more; raise --limit (\(limit))") }
        if !use.streams.isEmpty { Swift.print("streams:") }
        for stream in use.streams { Swift.print("  \(stream.part)  \(place(stream.line))") }
    }
}
