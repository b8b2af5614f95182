import ArgumentParser
import Foundation
import Glibc
import ReflectorModel
import RelayService

/// `reflector push`: forwards an encoder's output to an entrypoint; `ps` does not show the stream's key.
struct PushCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "push",
        abstract: "Push a stream to one or several entrypoints, with its key from a file or the environment.",
        discussion: """
            Sends standard input, or the standard output of the command after --, over HTTP. On an encoder's own \
            command line, every user of the machine could read the key.

            Example:
              reflector push live/news --to 192.0.2.10:8000 --key-file news.key -- \\
                  ffmpeg -re -i in.mp4 -c copy -f mpegts -

            With several --to, each entrypoint gets the same bytes, for streams with standby=hot. One that refuses, \
            breaks or falls behind by 4 MiB is connected again by itself and continues with the newest bytes; the \
            others do not wait for it.
              reflector push live/news --to 192.0.2.10:8000 --to 198.51.100.10:8000 \\
                  --key-file news.key -- ffmpeg -re -i in.mp4 -c copy -f mpegts -

            Exit status: 0 the stream has ended (of several --to, one has accepted it to the end), 1 refused or \
            interrupted, 2 wrong usage.
            """)

    @Argument(help: "The stream, e.g. live/news.", transform: StreamName.argument)
    var stream: StreamName

    @Option(
        help: ArgumentHelp(
            "HTTP ingest of the entrypoint, ADDRESS:PORT. Up to \(Self.destinationsMax) times.", valueName: "addr:port"),
        transform: { try Endpoint.argument($0, option: "--to", example: "127.0.0.1:8000") })
    var to: [Endpoint]

    @Option(
        help: ArgumentHelp(
            "File (mode 0600) that holds only the key. Default: the variable \(Self.variable).", valueName: "file"
        ))
    var keyFile: String?

    @Option(
        help: ArgumentHelp(
            "An entrypoint's key file, instead of --key-file; the key comes from its stream line.", valueName: "file"))
    var keys: String?

    @Argument(parsing: .postTerminator, help: "A command that writes the stream to its standard output.")
    var command: [String] = []

    private static let variable = "REFLECTOR_STREAM_KEY"
    private static let destinationsMax = 8

    func validate() throws {
        guard to.count <= Self.destinationsMax else {
            throw ValidationError("--to: at most \(Self.destinationsMax) entrypoints")
        }
        guard Set(to).count == to.count else { throw ValidationError("--to: an entrypoint is given twice") }
    }

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let key = try self.key()
        let source = command.isEmpty ? nil : try PushSource.start(command)
        let pushes = to.map { HTTPPush(stream: stream, to: $0, key: key) }
        let descriptor = source?.descriptor ?? STDIN_FILENO
        let isWhole = { (source?.exitCode() ?? 0) == 0 }
        var accepted = true
        do throws(HTTPPush.Failure) {
            if pushes.count == 1 {
                try pushes[0].run(from: descriptor, isWhole: isWhole)
            } else {
                accepted = try PushFanOut(pushes).run(from: descriptor, isWhole: isWhole)
            }
        } catch {
            StandardError.print("reflector: \(error)")
            throw ExitCode(1)
        }
        // Each destination has told its reason.
        if !accepted { throw ExitCode(1) }
    }

    private func key() throws -> String {
        if let keys {
            let streams = try StreamKeyFile(path: keys).load()
            guard let key = streams.keys(for: stream)?.first else {
                throw ValidationError("\(keys) has no stream line for \(stream)")
            }
            return key
        }
        let text: String
        if let keyFile {
            text = try KeyText.read(keyFile)
        } else if let value = ProcessInfo.processInfo.environment[Self.variable] {
            text = value
        } else {
            throw ValidationError("no key: give --key-file, --keys or \(Self.variable)")
        }
        guard KeyFile.streamKeyLength.contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) })
        else { throw ValidationError("the stream's key is not valid: 8 to 128 letters, digits, - . _ or ~") }
        return text
    }
}
