import ReflectorModel

/// The source of an encoder of `up`: `live/news=test`, `live/news=FILE.ts` or `live/news=URL`.
public struct StreamFeed: Sendable {
    /// Where an encoder gets its picture.
    public enum Source: Sendable, Equatable {
        /// A moving picture and a tone, encoded once.
        case test
        /// Sent in a loop.
        case file(String)
        case url(String)
    }

    /// The stream that it sends.
    public var stream: StreamName
    /// What it sends.
    public var source: Source

    /// A feed of a stream.
    public init(stream: StreamName, source: Source) {
        self.stream = stream
        self.source = source
    }

    /// Reads `STREAM=SOURCE`.
    public init?(argument: String) {
        guard let equals = argument.firstIndex(of: "="), let stream = StreamName(argument[..<equals]) else {
            return nil
        }
        let text = String(argument[argument.index(after: equals)...])
        self.stream = stream
        switch text {
        case "": return nil
        case "test": source = .test
        case _ where text.contains("://"): source = .url(text)
        default: source = .file(text)
        }
    }

    /// Name of the encoder's process and log.
    var name: String { "encoder-" + stream.text.replacing("/", with: "-") }

    /// Arguments of the ffmpeg that sends the stream. It copies without encoding, to leave the processor to the
    /// network.
    func pushArguments(testPicture: String, to entrypoint: Endpoint, key: String) -> [String] {
        encodeArguments(testPicture: testPicture) + ["-method", "PUT", "http://\(entrypoint)/\(stream)?key=\(key)"]
    }

    /// Arguments of a `reflector push` that runs such an ffmpeg and sends its output. `push` reads the key from a file,
    /// so that `ps` shows no secret.
    func pushArguments(testPicture: String, to entrypoint: Endpoint, keys: String) -> [String] {
        ["push", stream.text, "--to", "\(entrypoint)", "--keys", keys, "--", "ffmpeg"]
            + encodeArguments(testPicture: testPicture) + ["pipe:1"]
    }

    private func encodeArguments(testPicture: String) -> [String] {
        let input =
            switch source {
            case .test: ["-re", "-stream_loop", "-1", "-i", testPicture]
            case .file(let path): ["-re", "-stream_loop", "-1", "-i", path]
            case .url(let url): ["-i", url]
            }
        return ["-hide_banner", "-nostdin", "-loglevel", "warning"] + input
            + ["-map", "0:v?", "-map", "0:a?", "-c", "copy", "-f", "mpegts", "-flush_packets", "1"]
    }
}
