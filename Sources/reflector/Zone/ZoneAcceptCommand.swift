import ArgumentParser
import Foundation
import ZoneCompiler

/// `reflector zone accept FILE`.
struct ZoneAcceptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept",
        abstract: "Make name servers accept the removal of a .portsets or .streams file.",
        discussion: """
            A running name server refuses a folder in which such a file is missing, because `rm` or an unfinished copy \
            would remove every parent or every stream. If you intend that, leave an empty file. This command creates \
            it with a comment that says so. The map or the streams are then out of service.

            Exit status: 0 done, 2 wrong usage or a file that can't be created.

            Examples:
              rm zones/reflector.net.streams
              reflector zone accept zones/reflector.net.streams
            """)

    @Argument(help: "The removed file, with its folder: zones/reflector.net.portsets.")
    var file: String

    func validate() throws {
        guard file.hasSuffix(".portsets") || file.hasSuffix(".streams") else {
            throw ValidationError("'\(file)' is not a .portsets or .streams file")
        }
    }

    func run() async throws {
        let zone = String(file[..<(file.lastIndex(of: ".") ?? file.endIndex)]) + ".zone"
        guard FileManager.default.fileExists(atPath: zone) else {
            StandardError.print("reflector: there is no \(zone) beside it; a zone needs that file")
            throw ExitCode(2)
        }
        guard !FileManager.default.fileExists(atPath: file) else {
            StandardError.print("reflector: \(file) exists; nothing to accept")
            throw ExitCode(2)
        }
        do {
            let text = "# Empty on purpose: the content of this file was removed (reflector zone accept).\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .withoutOverwriting)
        } catch {
            StandardError.print("reflector: \(file) can't be created: \(error.localizedDescription)")
            throw ExitCode(2)
        }
        print("\(file): empty now; name servers of this folder load it within a second")
    }
}
