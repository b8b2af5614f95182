import ArgumentParser
import Foundation
import ReflectorModel

/// The source of an encoder of `up`: `live/news=test`, `live/news=FILE.ts` or `live/news=URL`.
struct StreamFeed: Sendable, ExpressibleByArgument {
    enum Source: Sendable, Equatable {
        /// A moving picture and a tone, encoded once.
        case test
        /// Sent in a loop.
        case file(String)
        case url(String)
    }

    var stream: StreamName
    var source: Source

    init(stream: StreamName, source: Source) {
        self.stream = stream
        self.source = source
    }

    init?(argument: String) {
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

    /// Arguments of the ffmpeg that sends the stream. Copies without encoding, so that the network has the processor.
    func pushArguments(testPicture: String, to entrypoint: Endpoint, key: String) -> [String] {
        encodeArguments(testPicture: testPicture) + ["-method", "PUT", "http://\(entrypoint)/\(stream)?key=\(key)"]
    }

    /// Arguments of the `reflector push` that does the same with the key from a file, so that `ps` shows no secret.
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

/// The test picture: 24 s of a moving test card with a tone. Video and audio end together (600 frames of 1/25 s, 1125
/// of 1024 samples at 48 kHz), so that it loops seamlessly; a keyframe every second.
enum TestPicture {
    static func encodeArguments(to path: String) -> [String] {
        let seconds = 24
        return ["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
            + ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=\(seconds)"]
            + ["-f", "lavfi", "-i", "sine=frequency=440:beep_factor=2:sample_rate=48000:duration=\(seconds)"]
            + ["-frames:a", "\(seconds * 48_000 / 1024)"]
            + ["-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-pix_fmt", "yuv420p"]
            + ["-g", "25", "-keyint_min", "25", "-sc_threshold", "0"]
            + ["-b:v", "1400k", "-maxrate", "1500k", "-bufsize", "1500k"]
            + ["-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "mpegts", path]
    }
}
