import ArgumentParser
import RelayService

/// `reflector keys …`: the secrets of a network.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make and check the file of network and stream keys.",
        subcommands: [Generate.self, Check.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a new key file, mode 0600; an existing one is never overwritten.")

        @Argument(help: "The file to write.")
        var file: String

        @Option(
            name: .customLong("stream"),
            help: "A stream that encoders push, as live/news or live/*; may be given several times.")
        var streams: [String] = ["live/*"]

        func run() throws {
            let patterns = try streams.map { text in
                guard let pattern = StreamKeys.Pattern(text) else {
                    throw ValidationError("`\(text)` is no stream name; write it as live/news or live/*")
                }
                return pattern
            }
            try KeyFile.generate(streams: patterns).write(to: file)
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Name every problem of a key file; exit 0 none, 1 some.")

        @Argument(help: "The file to check.")
        var file: String

        func run() throws {
            do throws(KeyFile.Invalid) {
                _ = try KeyFile.load(file)
            } catch {
                print(error.description)
                throw ExitCode(1)
            }
        }
    }
}
