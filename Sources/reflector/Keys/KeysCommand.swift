import ArgumentParser
import Foundation
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
              network 2 64-HEX-DIGITS    # they are rolled: the first is for sending
              stream live/news KEY       # the key of encoders that push live/news
              stream live/* KEY          # and every other stream below live/
              operator-public 1 64-HEX   # name servers accept this operator's overrides

            The operator's secret is in a file of its own, FILE.operator: keep it only on operators' machines.

            Give a customer only the KEY of their stream line. The customer pushes to
              http://ENTRYPOINT:8000/live/news?key=KEY
            SIGHUP makes daemons reload the file.
            """,
        subcommands: [Generate.self, OperatorKey.self, Check.self, TransferKey.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write new keys, mode 0600; never overwrites an existing file.",
            discussion: """
                Writes two files: FILE for every node and name server, and FILE.operator, which signs overrides, for \
                operators only.

                Example:
                  reflector keys generate keys --stream live/news --stream 'live/*'

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
                try KeyPair.make(file, streams: streams.isEmpty ? Self.standard : streams)
            } catch {
                StandardError.print("reflector: \(error)")
                throw ExitCode(1)
            }
            StandardError.print("wrote \(file) (mode 0600); encoders push with ?key=KEY of their stream line")
            StandardError.print(
                "wrote \(file)\(OperatorKeyFile.suffix) (mode 0600): it signs overrides; keep it on operators' machines"
            )
        }

        private static var standard: [StreamKeys.Pattern] { StreamKeys.Pattern("live/*").map { [$0] } ?? [] }

        private static func pattern(_ text: String) throws -> StreamKeys.Pattern {
            guard let pattern = StreamKeys.Pattern(text) else {
                throw ValidationError("'\(text)' is not a stream name; write it like live/news or live/*")
            }
            return pattern
        }
    }

    struct OperatorKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "operator",
            abstract: "Write a new operator's secret, or print the public line of an existing one.",
            discussion: """
                The `operator-public` line goes to standard output. Put it into the key file of every name server and \
                send SIGHUP: they then accept overrides signed with the secret. To roll the secret, make a second \
                one with another --phase, add its line, and remove the old line when the old secret is no longer used.

                Example:
                  reflector keys operator alice.operator --phase 2

                Exit status: 0 printed, 1 not, 2 wrong usage.
                """)

        @Argument(help: "The file to write, or to read if it is there.")
        var file: String

        @Option(help: "The number by which name servers know the key, 0 to 255, different for each key.")
        var phase: UInt8 = 1

        func run() throws {
            do throws(KeyFile.Invalid) {
                let keys: OperatorKeyFile
                if FileManager.default.fileExists(atPath: file) {
                    keys = try OperatorKeyFile.load(file)
                } else {
                    keys = OperatorKeyFile.generate(phase: phase)
                    try keys.write(to: file)
                    StandardError.print("wrote \(file) (mode 0600); the line for the key files of name servers:")
                }
                print(keys.publicLines.joined(separator: "\n"))
            } catch {
                StandardError.print("reflector: \(error)")
                throw ExitCode(1)
            }
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
                let network = Figures.count(keys.networkKeys.count, "network key", "network keys")
                let streams = Figures.count(keys.streamKeys.count, "stream line", "stream lines")
                let operators = Figures.count(keys.operatorKeys.count, "operator", "operators")
                StandardError.print("\(file) is good: \(network), \(streams), \(operators)")
            } catch {
                print(error.description)
                throw ExitCode(1)
            }
        }
    }
}
