import ArgumentParser

/// The subcommands of `reflector` as a tree, for checks that ArgumentParser does not do.
enum CommandTree {
    /// Throws if `reflector help WORD…` names a command that does not exist; ArgumentParser would show the help of the
    /// last existing command and exit with success.
    static func checkHelp(_ arguments: some Sequence<String>) throws {
        var words = arguments.drop { $0.hasPrefix("-") }.makeIterator()
        guard words.next() == "help" else { return }
        var command: any ParsableCommand.Type = Reflector.self
        while let word = words.next() {
            if word.hasPrefix("-") || word == "help" { continue }
            guard let next = command.configuration.subcommands.first(where: { $0._commandName == word }) else {
                let path = (self.path(to: command) ?? []).joined(separator: " ")
                throw ValidationError("no command '\(path) \(word)'")
            }
            command = next
        }
    }

    /// Throws if the words before `--help` name a command that does not exist: ArgumentParser would show the help of
    /// the last existing command and exit with success.
    static func checkSubcommands(_ arguments: some Sequence<String>) throws {
        let words = Array(arguments)
        guard words.contains("--help") || words.contains("-h") || words.contains("-help") else { return }
        var command: any ParsableCommand.Type = Reflector.self
        // Commands that only contain others have no arguments of their own.
        for word in words where !word.hasPrefix("-") {
            let subcommands = command.configuration.subcommands
            if subcommands.isEmpty || word == "help" { return }
            guard let next = subcommands.first(where: { $0._commandName == word }) else {
                let path = (self.path(to: command) ?? []).joined(separator: " ")
                throw ValidationError("no command '\(path) \(word)'")
            }
            command = next
        }
    }

    /// The text to print for a usage error that a command detects only when it runs: by then ArgumentParser no longer
    /// knows which command it was.
    static func message(_ error: ValidationError, of command: any ParsableCommand.Type) -> String {
        let path = (self.path(to: command) ?? []).joined(separator: " ")
        return "Error: \(error.message)\nUsage: \(Reflector.usageString(for: command))\n"
            + "  See '\(path) --help' for more information."
    }

    /// The words that name a command, `reflector` first.
    private static func path(
        to command: any ParsableCommand.Type, from root: any ParsableCommand.Type = Reflector.self
    ) -> [String]? {
        if root == command { return [root._commandName] }
        return root.configuration.subcommands.lazy.compactMap { path(to: command, from: $0) }.first
            .map { [root._commandName] + $0 }
    }
}
