import ArgumentParser

extension OverrideCommand {
    struct PinEntrypoint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pin-entrypoint",
            abstract: "Put an entrypoint in front of a stream's candidates.",
            discussion: """
                It leads the stream as soon as it can provide it. If it dies, the others follow in the order of the \
                files. A stream has one pinned entrypoint: pinning another one ends the first pin.

                Example:
                  reflector override pin-entrypoint live/news ep-nyc --for 2h \\
                      --why 'uplink of ep-bos' --operator operator
                """)
        @OptionGroup var candidate: OverrideCandidate
        @OptionGroup var term: OverrideTerm
        func run() async throws { try await candidate.send(.pinEntrypoint, term) }
    }

    struct BarEntrypoint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "bar-entrypoint",
            abstract: "Leave an entrypoint out of a stream's candidates.",
            discussion: """
                Nodes stop using it for this stream, and another candidate takes over. It is refused if no candidate \
                would be left, unless --force is given: bars of all candidates have no effect.

                Example:
                  reflector override bar-entrypoint 'live/*' ep-bos --for 1h \\
                      --why 'new kernel' --operator operator
                """)
        @OptionGroup var candidate: OverrideCandidate
        @OptionGroup var term: OverrideTerm
        @Flag(help: "Even if a stream would have no candidate left.")
        var force = false
        func run() async throws { try await candidate.send(.barEntrypoint, term, isForced: force) }
    }

    struct ClearEntrypoint: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "clear-entrypoint", abstract: "End a stream's pin-entrypoint and bar-entrypoint now.")
        @Argument(help: ArgumentHelp("The stream or pattern as `override list` has it.", valueName: "stream"))
        var stream: String

        @Argument(help: ArgumentHelp("Only that of this entrypoint; without it, all of them.", valueName: "entrypoint"))
        var host: String?

        @OptionGroup var sender: OverrideSender

        func run() async throws { try await sender.send(.clearEntrypoint, stream, host: host, nil, isForced: false) }
    }
}
