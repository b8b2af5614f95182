import ArgumentParser
import RelayService
import TransactionSigning

/// `reflector keys …`: the secrets of a network.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make and check the secrets of a network: network and stream keys, keys of name servers.",
        subcommands: [Generate.self, Check.self, TransferKey.self])

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

    struct TransferKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "tsig",
            abstract: "Make a key that two name servers share, as a line for `nameserver --tsig-keys`.",
            discussion: """
                The line goes to standard output: name, algorithm, secret. Keep it in a file of mode 0600.

                Example:
                  (umask 077; reflector keys tsig secondary-1 >> tsig.keys)
                """)

        @Argument(help: "The name by which both servers know the key.")
        var name: String

        @Option(help: "hmac-sha256, hmac-sha384 or hmac-sha512.")
        var algorithm: String = TSIGAlgorithm.hmacSHA256.rawValue

        func run() throws {
            guard let algorithm = TSIGAlgorithm(rawValue: algorithm) else {
                let all = TSIGAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("`\(algorithm)` is no algorithm of ours: \(all)")
            }
            guard let key = TSIGKey.generate(name: name, algorithm: algorithm) else {
                throw ValidationError("`\(name)` is no domain name")
            }
            print(key.line)
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
