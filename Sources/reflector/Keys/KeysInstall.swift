import ArgumentParser
import DatagramIO
import IdentityKeys
import ReflectorModel
import SecretFiles

/// `reflector keys install`: a certificate, on its node.
struct KeysInstall: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "On a node: put its certificate, and whom it obeys, into its identity folder.",
        discussion: """
            Checks first that the certificate is of this node's key and that an admin of `operators` signed it; otherwise \
            nothing changes. The first time, give --operators: a copy of the file in the operator's folder. A running node \
            uses the new files after SIGHUP.

            Example:
              reflector keys install edge-bos.certificate --operators operators \\
                  --identity /etc/reflector/identity

            Exit status: 0 installed, 1 not, 2 wrong usage.
            """)

    @Argument(help: "The certificate that `keys sign` wrote.")
    var certificate: String

    @Option(help: ArgumentHelp("The node's identity folder.", valueName: "dir"))
    var identity: String

    @Option(help: ArgumentHelp("Whom the node obeys from now on; by default those in the folder.", valueName: "file"))
    var operators: String?

    func run() throws {
        ProcessMemory.forbidDumps()
        try KeysReport.checked {
            let file = try CertificateFile.load(certificate)
            let directory = try operators.map { try OperatorDirectory.load($0) }
            try IdentityFolder.install(file.certificate, operators: directory, in: identity)
            let content = file.certificate.content
            print(
                "\(identity): \(content.name), \(content.roleText), "
                    + "\(content.validityText(at: WallClock.certificateSeconds)); SIGHUP makes a running node use it")
        }
    }
}
