import ArgumentParser
import Glibc
import IdentityKeys
import SecretFiles

/// `reflector keys request`: a node's key and its request for a certificate.
struct KeysRequest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "On a node: make its key if it has none, and print its request for a certificate.",
        discussion: """
            The private key (node.key, mode 0600) never leaves the machine. The printed line is not secret; it proves that \
            whoever sent it has the private key. Run it again to renew: it prints the request of the same key. To change \
            the key, remove node.key first.

            Example:
              reflector keys request edge-bos --identity /etc/reflector/identity

            Exit status: 0 printed, 1 not, 2 wrong usage.
            """)

    @Argument(help: "The node's host name in the zone, e.g. edge-bos.")
    var name: String

    @Option(help: ArgumentHelp("The node's identity folder; made if it is missing.", valueName: "dir"))
    var identity: String

    func run() throws {
        ProcessMemory.forbidDumps()
        try KeysReport.checked {
            let path = IdentityFolder.keyPath(identity)
            let isNew = access(path, F_OK) != 0
            let request = try IdentityFolder.request(for: name.lowercased(), in: identity)
            if isNew { StandardError.print("wrote \(path) (mode 0600); let an operator sign this request:") }
            print(RequestFile.line(request))
        }
    }
}
