import ArgumentParser
import DatagramIO
import IdentityKeys
import SecretFiles

/// `reflector keys show`: what the files of identities say, in words.
struct KeysShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Say in words who a file or a folder is, and whether it is still valid.",
        discussion: """
            Takes identity folders, operators' folders, and single files: certificates, requests, `operators`, revocation \
            lists. With --zones it also says whether a certificate is revoked.

            Examples:
              reflector keys show /etc/reflector/identity --zones /etc/reflector/zones
              reflector keys show operator

            Exit status: 0 all is well, 1 something is not (expired, revoked, not ours), 2 wrong usage.
            """)

    @Argument(help: "Folders and files.")
    var paths: [String]

    @Option(help: ArgumentHelp("Folder of the zone files, with ZONE.revocations.", valueName: "dir"))
    var zones: String?

    @Option(help: ArgumentHelp("The file `operators`, to say who signed a single file.", valueName: "file"))
    var operators: String?

    func run() throws {
        ProcessMemory.forbidDumps()
        let directory = try KeysReport.checked { try operators.map { try OperatorDirectory.load($0) } }
        let report = IdentityReport(zones: zones, operators: directory, now: WallClock.certificateSeconds)
        var isGood = true
        for path in paths {
            do {
                let (lines, problems) = try report.describe(path)
                for line in lines { print(line) }
                for problem in problems { StandardError.print("reflector: \(path): \(problem)") }
                isGood = isGood && problems.isEmpty
            } catch let error as IdentityFileError {
                for problem in error.problems { StandardError.print("reflector: \(problem)") }
                isGood = false
            }
        }
        if !isGood { throw ExitCode(1) }
    }
}
