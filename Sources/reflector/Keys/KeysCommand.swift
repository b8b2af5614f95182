import ArgumentParser
import RelayService
import TransactionSigning

/// `reflector keys …`: who may do what in a network.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make, sign, show and revoke the keys of operators and nodes; make those of encoders.",
        discussion: """
            Every node has a key of its own, made on its machine, and a certificate in which an operator says what it is. \
            The operator's folder is kept off the network.

            Once, on the operator's machine:
              reflector keys init operator --name alice
            For each node, on the node, then on the operator's machine, then on the node:
              reflector keys request edge-bos --identity identity > edge-bos.request
              reflector keys sign *.request --operator operator --zones zones --out signed
              reflector keys install edge-bos.certificate --identity identity \\
                  --operators operators
            A certificate is renewed by the same three steps, and a stolen node is shut out by
              reflector keys revoke edge-bos --operator operator --zones zones \\
                  --why stolen

            Encoders push with stream keys (`keys streams`), name servers share TSIG keys with secondaries (`keys tsig`).
            """,
        subcommands: [
            KeysInit.self, KeysRequest.self, KeysSign.self, KeysInstall.self, KeysShow.self, KeysRevoke.self,
            Streams.self, Check.self, TransferKey.self,
        ])

    struct Streams: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write new keys for encoders, mode 0600; never overwrites an existing file.",
            discussion: """
                The file has one line for each stream or pattern:

                  stream live/news KEY       # the key of encoders that push live/news
                  stream live/* KEY          # and every other stream below live/

                Give a customer only the KEY of their stream line. The customer pushes to
                  http://ENTRYPOINT:8000/live/news?key=KEY
                SIGHUP makes daemons reload the file.

                Example:
                  reflector keys streams keys --stream live/news --stream 'live/*'

                Exit status: 0 written, 1 not, 2 wrong usage.
                """)

        @Argument(help: "The file to write.")
        var file: String

        @Option(
            name: .customLong("stream"),
            help: "A stream that encoders push, e.g. live/news or live/*; repeatable (default: live/*).",
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
                throw ValidationError("'\(text)' is not a stream name; write it like live/news or live/*")
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
                throw ValidationError("`\(algorithm)` is not a supported algorithm: \(all)")
            }
            guard let key = TSIGKey.generate(name: name, algorithm: algorithm) else {
                throw ValidationError("`\(name)` is not a domain name")
            }
            print(key.line)
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every problem of a key file. Exit status: 0 none, 1 some.")

        @Argument(help: "The file to check.")
        var file: String

        func run() throws {
            do throws(KeyFile.Invalid) {
                let keys = try KeyFile.load(file)
                let streams = Figures.count(keys.streamKeys.count, "stream line", "stream lines")
                StandardError.print("\(file) is good: \(streams)")
            } catch {
                print(error.description)
                throw ExitCode(1)
            }
        }
    }
}
