import Foundation
import ReflectorModel
import TestSupport
import Testing

/// A real MPEG-TS, made once by ffmpeg for all tests: moving picture and tone, 10 s, one random access point a second.
enum TransportStreamFile {
    static let seconds = 10
    /// 7 × 188, the payload of an entrypoint.
    static let payloadLength = 1316

    static let bytes: [UInt8] = {
        guard let folder = try? TemporaryFolder() else { return [] }
        defer { folder.remove() }
        let path = folder.url.appendingPathComponent("picture.ts")
        let status = run([
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-f", "lavfi", "-i",
            "sine=frequency=440", "-t", "\(seconds)", "-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-b:v",
            "600k", "-pix_fmt", "yuv420p", "-c:a", "aac", "-f", "mpegts", path.path,
        ]).status
        guard status == 0, let data = try? Data(contentsOf: path) else { return [] }
        return [UInt8](data)
    }()

    /// The payloads, starting with number `skip`.
    static func payloads(skip: Int = 0) -> [ArraySlice<UInt8>] {
        stride(from: skip * payloadLength, to: bytes.count, by: payloadLength).map { start in
            bytes[start..<min(start + payloadLength, bytes.count)]
        }
    }

    /// Runs a program found by `env`, for at most a minute, and returns its exit status and output.
    static func run(_ arguments: [String]) -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return (127, "") }
        let pid = process.processIdentifier
        let end = DispatchWorkItem { kill(pid, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + 60, execute: end)
        defer { end.cancel() }
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}

/// A small deterministic generator for hostile bytes.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
