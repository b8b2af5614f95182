import Foundation
import ReflectorModel
import TestSupport
import Testing

@testable import reflector

/// Chromium's built-in HLS player (version 142 and newer) plays the playlists of a whole network.
@Suite("Chromium plays HLS", .serialized)
struct BrowserTests {
    /// How the encoder of a stream returns after its death.
    private struct Return {
        var stream: String
        var entrypoint: String
        var seconds: Int
        /// The encoder's clock continues, as in a hardware encoder; otherwise it restarts at 0, as in a program.
        var hasClock: Bool
    }

    private static let returns = [
        Return(stream: "live/news", entrypoint: "ep-bos", seconds: 4, hasClock: false),
        Return(stream: "live/device", entrypoint: "ep-nyc", seconds: 4, hasClock: true),
        Return(stream: "live/late", entrypoint: "ep-nyc", seconds: 13, hasClock: false),
    ]

    @Test(
        "the first viewer of a region plays, and continues when the encoder dies and returns",
        .enabled(if: Browser.path != nil, "chromium is not installed: tools/setup"))
    func interruptions() async throws {
        try await TestNetwork.with(net: 107) { network in
            try await network.startAll()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for way in Self.returns { group.addTask { try await Self.interrupt(way, of: network) } }
                try await group.waitForAll()
            }
        }
    }

    private static func interrupt(_ way: Return, of network: TestNetwork) async throws {
        let stream = try #require(StreamName(way.stream))
        let start = ContinuousClock.now
        let encoder = try await network.startEncoder(stream, file: TestPictureFile.path, at: way.entrypoint)
        try await eventually("packets at the entrypoint") {
            (try await network.stream(way.stream, at: way.entrypoint)?.packetsIn ?? 0) > 50
        }
        let address = try network.node("edge-bos").http
        let browser = try await Browser.start(playing: "http://\(address)/\(stream)/index.m3u8", beside: network)
        let first = try await browser.time(beyond: 4, within: .seconds(40))
        kill(encoder, SIGKILL)
        try await Task.sleep(for: .seconds(way.seconds))
        let passed = (ContinuousClock.now - start) / .seconds(1)
        try await network.startEncoder(
            stream, file: TestPictureFile.path, at: way.entrypoint, clock: way.hasClock ? passed : 0)
        // Chromium plays what it has buffered, then what follows the encoder's return.
        let last = try await browser.time(beyond: first + 15, within: .seconds(60))
        let clock = way.hasClock ? "its clock continued" : "its clock restarted"
        print("Chromium was at \(first) s before \(way.seconds) s without an encoder, at \(last) s later; \(clock)")
        #expect(browser.errors.isEmpty, "\(way): \(browser.errors)")
        #expect(last > first + 15, "\(way)")
    }
}

/// A headless Chromium that plays one URL in a `<video>`, and reports its position on its console. It ends with the
/// test's network.
private struct Browser {
    static let path = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].first {
        FileManager.default.isExecutableFile(atPath: $0)
    }

    private let network: TestNetwork
    private let name: String

    static func start(playing url: String, beside network: TestNetwork) async throws -> Browser {
        let name = "browser-\(UUID().uuidString)"
        let page = network.folder + "/\(name).html"
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
        ).write(to: URL(fileURLWithPath: page))
        try await network.startProgram(
            path ?? "chromium",
            [
                "--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required",
                "--enable-logging=stderr", "--user-data-dir=\(network.folder)/\(name)", "file://\(page)",
            ], name: name)
        return Browser(network: network, name: name)
    }

    private var said: [[Substring]] {
        network.log(of: name).split(separator: "\n").compactMap { line in
            line.firstRange(of: "\"PLAYER ").map { line[$0.upperBound...].prefix { $0 != "\"" }.split(separator: " ") }
        }
    }

    /// Errors of the player.
    var errors: [String] { said.filter { $0.first == "error" }.map { $0.joined(separator: " ") } }

    /// Waits until the player has passed a time, or has failed.
    func time(beyond seconds: Double, within limit: Duration) async throws -> Double {
        try await eventually("Chromium beyond \(seconds) s", within: limit, every: .milliseconds(250)) {
            let now = said.last { $0.first == "at" }?.last.flatMap { Double($0) } ?? 0
            return now > seconds || !errors.isEmpty ? now : nil
        }
    }
}
