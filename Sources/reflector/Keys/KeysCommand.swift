import ArgumentParser
import RelayService
import TransactionSigning

/// `reflector keys …`: the secrets of a network.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make and check the secrets of a network: network and stream keys, keys of name servers.",
        discussion: """
            One file, mode 0600, the same on every node of the network:

              network 1 64-HEX-DIGITS    # between nodes; a second line while
              network 2 64-HEX-DIGITS    # keys roll: the first one is sent with
              stream live/news KEY       # what an encoder shows to push live/news
              stream live/* KEY          # and every other stream below live/

            A customer is given only the KEY of his stream line, and pushes to
              http://ENTRYPOINT:8000/live/news?key=KEY
            A changed file is read at SIGHUP.
            """,
        subcommands: [Generate.self, Check.self, TransferKey.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write a new key file, mode 0600; an existing one is never overwritten.",
            discussion: """
                Example:
                  reflector keys generate keys --stream live/news --stream 'live/*'

                Exit status: 0 written, 1 not, 2 wrong usage.
                """)

        @Argument(help: "The file to write.")
        var file: String

        @Option(
            name: .customLong("stream"),
            help: "A stream that encoders push, as live/news or live/*; may be given several times (default: live/*).",
            transform: Self.pattern)
        var streams: [StreamKeys.Pattern] = []

        func run() throws {
            do throws(KeyFile.Invalid) {
                try KeyFile.generate(streams: streams.isEmpty ? Self.standard : streams).write(to: file)
            } catch {
                StandardError.print("reflector: \(error)")
                throw ExitCode(1)
            }
            StandardError.print("wrote \(file) (mode 0600); encoders push with ?key=KEY of their stream line")
        }

        private static var standard: [StreamKeys.Pattern] { StreamKeys.Pattern("live/*").map { [$0] } ?? [] }

        private static func pattern(_ text: String) throws -> StreamKeys.Pattern {
            guard let pattern = StreamKeys.Pattern(text) else {
                throw ValidationError("'\(text)' is no stream name; write it as live/news or live/*")
            }
            return pattern
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
                let keys = try KeyFile.load(file)
                let network = Figures.count(keys.networkKeys.count, "network key", "network keys")
                let streams = Figures.count(keys.streamKeys.count, "stream line", "stream lines")
                StandardError.print("\(file) is good: \(network), \(streams)")
            } catch {
                print(error.description)
                throw ExitCode(1)
            }
        }
    }
}
