import ArgumentParser
import Glibc
import ReflectorModel
import UnixSignals

/// `reflector request`: keeps a stream coming from an edge to a streaming server, as long as it runs.
struct RequestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "request",
        abstract: "Request a stream from an edge over UDP, until SIGTERM or SIGINT.",
        discussion: """
            Prints where the stream can be received, e.g. udp://@239.1.0.17:5000, as soon as \
            it comes, and renews the request. The edge needs --udp-out, or --udp-out-allow for \
            --to.

            With a command after --, runs it when the stream comes, with {url} replaced by the \
            address, and ends with it; a signal ends the command first. So a streaming server's \
            own hook is enough.
              MediaMTX:
                runOnDemand: reflector request $MTX_PATH -- ffmpeg -i {url}
                  -c copy -f rtsp rtsp://127.0.0.1:$RTSP_PORT/$MTX_PATH
              nginx-rtmp:
                exec_pull reflector request $app/$name -- ffmpeg -i "{url}"
                  -c copy -f flv rtmp://127.0.0.1/$app/$name;
                exec_kill_signal term;

            Exit status: 0 ended by a signal, 1 refused, 2 wrong usage; otherwise that of the command.
            """)

    @Argument(help: "The stream, e.g. live/news.", transform: StreamName.argument)
    var stream: StreamName

    @Option(help: ArgumentHelp("The edge's endpoint for requests (--request-listen).", valueName: "url"))
    var edge = "http://127.0.0.1:4981"

    @Option(
        help: ArgumentHelp(
            "Send it to this address instead of the stream's multicast group, ADDRESS:PORT.", valueName: "addr:port"),
        transform: { try Endpoint.argument($0, option: "--to", example: "192.0.2.7:5000") })
    var to: Endpoint?

    @Option(help: "How long the edge continues to send if this command dies.")
    var seconds = 60

    @Option(
        help: ArgumentHelp(
            "Tells this request from others of this machine; by default, the process id.", valueName: "id"))
    var client: String?

    @Argument(parsing: .postTerminator, help: "A command to run while the stream comes; {url} is its address.")
    var command: [String] = []

    func validate() throws {
        guard edge.hasPrefix("http://"), !edge.dropFirst(7).contains(where: { $0 == "/" || $0 == "?" || $0 == " " })
        else { throw ValidationError("--edge: '\(edge)' is not http://ADDRESS:PORT, e.g. http://127.0.0.1:4981") }
        guard (5...86_400).contains(seconds) else {
            throw ValidationError("--seconds takes 5 to 86400, not \(seconds)")
        }
        if let client {
            let isPlain = client.utf8.allSatisfy { byte in
                "-._".utf8.contains(byte) || (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
            }
            guard (1...100).contains(client.utf8.count), isPlain else {
                throw ValidationError("--client takes 1 to 100 letters, digits, - . or _")
            }
        }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        let id = client ?? "request-\(getpid())"
        let request = StreamRequest(edge: edge, stream: stream, to: to, client: id, seconds: seconds)
        let keeper = RequestKeeper(request: request, command: command)
        let code = await withTaskGroup(of: Int32.self) { group in
            group.addTask {
                for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { break }
                return 0
            }
            group.addTask { await keeper.run() }
            let first = await group.next() ?? 0
            group.cancelAll()
            return first
        }
        await keeper.finish()
        guard code == 0 else { throw ExitCode(code) }
    }
}
