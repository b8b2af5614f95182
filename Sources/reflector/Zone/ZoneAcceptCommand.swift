import ArgumentParser
import Foundation
import ZoneCompiler

/// `reflector zone accept FILE`.
struct ZoneAcceptCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "accept",
        abstract: "Let a name server take the loss of a .portsets or .streams file.",
        discussion: """
            A running name server refuses a folder from which such a file has gone, since `rm` or a copy half done would \
            take every parent, or every stream, away. To mean it, leave an empty file. This command makes it, with a \
            comment that says so, and takes the map or the streams out of service.

            Exit status: 0 done, 2 wrong usage or a file that can't be made.

            Examples:
              rm zones/reflector.net.streams
              reflector zone accept zones/reflector.net.streams
            """)

    @Argument(help: "The file that is gone, with its folder: zones/reflector.net.portsets.")
    var file: String

    func validate() throws {
        guard file.hasSuffix(".portsets") || file.hasSuffix(".streams") else {
            throw ValidationError("'\(file)' is no .portsets or .streams file")
        }
    }

    func run() async throws {
        let zone = String(file[..<(file.lastIndex(of: ".") ?? file.endIndex)]) + ".zone"
        guard FileManager.default.fileExists(atPath: zone) else {
            StandardError.print("reflector: no \(zone) beside it; a zone needs that file")
            throw ExitCode(2)
        }
        guard !FileManager.default.fileExists(atPath: file) else {
            StandardError.print("reflector: \(file) is there; nothing to accept")
            throw ExitCode(2)
        }
        do {
            let text = "# Empty on purpose: what this file held has been given up (reflector zone accept).\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .withoutOverwriting)
        } catch {
            StandardError.print("reflector: \(file) can't be made: \(error.localizedDescription)")
            throw ExitCode(2)
        }
        print("\(file): empty now; name servers of this folder take it within a second")
    }
}
