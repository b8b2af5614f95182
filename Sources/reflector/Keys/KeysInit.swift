import ArgumentParser
import IdentityKeys
import SecretFiles

/// `reflector keys init`: an operator's folder.
struct KeysInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make an operator's key, once, on the operator's machine.",
        discussion: """
            Writes operator.key (mode 0600) into the folder. Keep the folder off the network, and keep a copy of it in a \
            safe place: without it no node can be added, renewed or shut out. The operator's line goes to standard output.

            Roles: an admin signs certificates and revocation lists and may override; `override` may set and clear \
            overrides; `view` may only read. The first operator is an admin.

            A second admin, to roll the first one's key, or a colleague, whose line is added to `operators` there:
              reflector keys init operator-2027 --name alice-2027 --join operator
              reflector keys init night --name night --role override --join operator
            Then copy `operators` to every node (`keys install --operators`, or as a file) and send SIGHUP.
            A colleague may also make a key alone; then put the printed line into `operators`:
              reflector keys init my-key --name bob --role override

            Exit status: 0 made, 1 not, 2 wrong usage.
            """)

    @Argument(help: "The folder to make.")
    var folder = "operator"

    @Option(help: "The operator's name, e.g. alice: it is in every log line of what he does.")
    var name: String

    @Option(help: "admin, override or view.", transform: OperatorRole.parse)
    var role: OperatorRole = .admin

    @Option(help: ArgumentHelp("Folder of an admin, whose `operators` gets the new line.", valueName: "dir"))
    var join: String?

    func run() throws {
        ProcessMemory.forbidDumps()
        try KeysReport.checked {
            let entry = try OperatorFolder.make(folder, name: name.lowercased(), role: role, joining: join)
            StandardError.print("wrote \(OperatorFolder.keyPath(folder)) (mode 0600): keep this folder off the network")
            if let join {
                StandardError.print(
                    "wrote \(OperatorFolder.operatorsPath(join)): copy it to every node's identity folder, then SIGHUP")
            } else if role != .admin {
                StandardError.print("put this line into `operators` of every node's identity folder, then SIGHUP:")
            }
            print("operator \(entry.name) \(entry.role) \(entry.key)")
        }
    }
}

extension OperatorRole {
    /// For options.
    static func parse(_ text: String) throws -> OperatorRole {
        guard let role = OperatorRole(rawValue: text) else {
            throw ValidationError("--role: '\(text)' is not admin, override or view")
        }
        return role
    }
}

/// Problems of the `keys` commands.
enum KeysReport {
    /// Runs `body`. Prints every problem that it throws and ends the command with exit status 1.
    static func checked<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let error as IdentityFileError {
            for problem in error.problems { StandardError.print("reflector: \(problem)") }
            throw ExitCode(1)
        }
    }
}
