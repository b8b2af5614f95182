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
              network 2 64-HEX-DIGITS    # keys roll: the first one is sent with
              stream live/news KEY       # what an encoder shows to push live/news
              stream live/* KEY          # and every other stream below live/
              operator-public 1 64-HEX   # name servers take overrides from its secret

            The operator's secret is in a file of its own, FILE.operator: keep it on operators' machines alone.

            A customer is given only the KEY of his stream line, and pushes to
              http://ENTRYPOINT:8000/live/news?key=KEY
            A changed file is read at SIGHUP.
            """,
        subcommands: [Generate.self, OperatorKey.self, Check.self, TransferKey.self])

    struct Generate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write new keys, mode 0600; an existing file is never overwritten.",
            discussion: """
                Writes two files: FILE for every node and name server, and FILE.operator, which signs overrides, for \
                operators alone.

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
                throw ValidationError("'\(text)' is no stream name; write it as live/news or live/*")
            }
            return pattern
        }
    }

    struct OperatorKey: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "operator",
            abstract: "Write a new operator's secret, or print the public line of one that is there.",
            discussion: """
                The `operator-public` line goes to standard output. Put it into the key file of every name server and send \
                SIGHUP: from then on they take overrides that are signed with the secret. To roll, make a second one with \
                another --phase, add its line, and take the old line out when nobody signs with the old secret.

                Example:
                  reflector keys operator alice.operator --phase 2

                Exit status: 0 printed, 1 not, 2 wrong usage.
                """)

        @Argument(help: "The file to write, or to read if it is there.")
        var file: String

        @Option(help: "The number by which name servers know the key, 0 to 255, another for each.")
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
                let operators = Figures.count(keys.operatorKeys.count, "operator", "operators")
                StandardError.print("\(file) is good: \(network), \(streams), \(operators)")
            } catch {
                print(error.description)
                throw ExitCode(1)
            }
        }
    }
}
