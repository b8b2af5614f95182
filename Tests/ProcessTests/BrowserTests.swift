import Foundation
import ReflectorModel
import Testing

@testable import reflector

/// Chromium's own HLS player (version 142 and newer) on the playlists of a whole network.
@Suite("Chromium plays HLS", .serialized)
struct BrowserTests {
    @Test(
        "the first viewer of a region plays, and plays on when the encoder is gone for 13 s and its clock begins again",
        .enabled(if: Browser.path != nil, "chromium is not installed: tools/setup"))
    func interruption() async throws {
        try await TestNetwork.with(net: 107) { network in
            try await network.startAll()
            let stream = try #require(StreamName("live/news"))
            let encoder = try await network.startEncoder(stream, file: TestPictureFile.path, at: "ep-bos")
            try await eventually("packets at the entrypoint") {
                (try await network.stream("live/news", at: "ep-bos")?.packetsIn ?? 0) > 50
            }
            let address = try network.node("edge-bos").http
            let browser = try Browser(playing: "http://\(address)/live/news/index.m3u8")
            defer { browser.end() }
            let first = try await browser.time(beyond: 5, within: .seconds(40))
            kill(encoder, SIGKILL)
            try await Task.sleep(for: .seconds(13))
            try await network.startEncoder(stream, file: TestPictureFile.path, at: "ep-bos")
            // What it had, then what came after.
            let last = try await browser.time(beyond: first + 20, within: .seconds(60))
            print("Chromium \(Browser.version): played \(first) s before and \(last) s after the interruption")
            #expect(browser.errors.isEmpty, "\(browser.errors)")
        }
    }
}

/// A headless Chromium that plays one URL in a `<video>`, and says on its console how far it is.
private final class Browser {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    static var version: String {
        guard let path, let result = try? Program.run(path, ["--version"]) else { return "unknown" }
        return result.output.split(separator: " ").dropFirst().first.map(String.init) ?? "unknown"
    }

    private let folder: URL
    private let process = Process()
    private var log: URL { folder.appendingPathComponent("log") }

    init(playing url: String) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("browser-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let page = folder.appendingPathComponent("page.html")
        try Data(
            """
            <video id=v muted></video><script>
            const v = document.getElementById('v'), say = (...a) => console.log('PLAYER ' + a.join(' '));
            v.addEventListener('error', () => say('error', v.error.code, v.error.message));
            v.src = '\(url)';
            v.play().catch(e => say('error', e));
            setInterval(() => say('at', v.currentTime), 500);
            </script>

            """.utf8
        ).write(to: page)
        try Data().write(to: log)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "timeout", "--kill-after=2", "150", Self.path ?? "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--autoplay-policy=no-user-gesture-required", "--enable-logging=stderr",
            "--user-data-dir=\(folder.path)/profile", page.absoluteString,
        ]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: log)
        try process.run()
    }

    private var said: [[Substring]] {
        let text = (try? Data(contentsOf: log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(separator: "\n").compactMap { line in
            line.firstRange(of: "\"PLAYER ").map { line[$0.upperBound...].prefix { $0 != "\"" }.split(separator: " ") }
        }
    }

    /// What the player complained of.
    var errors: [String] { said.filter { $0.first == "error" }.map { $0.joined(separator: " ") } }

    /// Waits until the player is beyond a time; throws if it gives up.
    func time(beyond seconds: Double, within limit: Duration) async throws -> Double {
        try await eventually("Chromium beyond \(seconds) s", within: limit, every: .milliseconds(250)) {
            if let error = errors.first { throw NeverCame(what: "playing", last: error) }
            let now = said.last { $0.first == "at" }?.last.flatMap { Double($0) } ?? 0
            return now > seconds ? now : nil
        }
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }
}
