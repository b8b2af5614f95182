import ArgumentParser
import DatagramIO
import ZoneCompiler

/// `reflector zone export DIR`.
struct ZoneExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a zone as a master file that any name server can load.",
        discussion: """
            A map has too many names to list (regions × portsets × 3), so the export is in aliased form: each \
            portset is a DNAME to its class of identically mapped portsets, each n1, n2, n3 a CNAME to its set region. \
            Resolvers follow both. Never put a server of the aliased form and `reflector nameserver` in one NS set.

            Exit status: 0 written, 1 over five million records (the message names the lines that \
            cause them), 2 wrong usage.

            Example:
              reflector zone export zones > reflector.net.db
              nsd-checkzone reflector.net reflector.net.db

            An edit renames classes, and resolvers cache aliases to the old names until their TTL expires. To keep \
            the old names answered until the next export, give the previous folder:
              reflector zone export zones --previous zones.old > reflector.net.db
            """)

    @Argument(help: "The directory with the .zone, .portsets and .streams files.")
    var directory: String

    @Option(help: ArgumentHelp("The zone, if the directory has several.", valueName: "name"))
    var zone: String?

    @Option(
        help: ArgumentHelp("The folder of the last export: its classes stay answered.", valueName: "dir"))
    var previous: String?

    @Option(help: "Serial for the SOA. Default: that of the .zone file.")
    var serial: UInt32?

    func run() async throws {
        let contents = try ZoneFolder.contents(directory)
        let wanted = zone.map { $0.lowercased() }
        guard
            var content = wanted == nil && contents.count == 1
                ? contents.first : contents.first(where: { $0.zone == wanted })
        else {
            let names = contents.map(\.zone).joined(separator: ", ")
            StandardError.print("reflector: choose one zone with --zone: \(names)")
            throw ExitCode(2)
        }
        if let previous, let old = try ZoneFolder.contents(previous).first(where: { $0.zone == content.zone }) {
            content.outliving = OutlivingAliases.outliving(old, in: content, at: WallClock.seconds).outliving
        }
        var failure: (any Error)?
        do {
            try ZoneExport.write(content, serial: serial) { text in
                guard failure == nil else { return }
                do { try StandardOutput.writeAll(Array(text.utf8)) } catch { failure = error }
            }
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
        if let failure { throw failure }
        if let caution = ZoneExport.caution(content) { StandardError.print("reflector: \(caution)") }
    }
}
