import Foundation
import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService

@Suite("The ingest server, with real clients", .serialized)
struct IngestServerTests {
    static let key = "0123456789abcdef"

    func news() throws -> StreamName { try #require(StreamName("live/news")) }

    func endpoint(_ text: String) throws -> Endpoint { try #require(Endpoint(text)) }

    /// An HTTP server on loopback, without a rate limit.
    func configuration() throws -> IngestConfiguration {
        var configuration = IngestConfiguration()
        configuration.wrongKeyDelay = .milliseconds(10)
        configuration.httpListen = try endpoint("127.47.0.1:0")
        configuration.rateBitsPerSecondMax = 0
        return configuration
    }

    /// Runs `body` against a server.
    func withServer(
        sink: MemorySink, _ changed: IngestConfiguration? = nil, logger: Logger = Logger(label: "test"),
        _ body: (IngestServer, String) async throws -> Void
    ) async throws {
        let configuration = try changed ?? configuration()
        var keys = StreamKeys()
        try keys.add(Self.key, for: #require(StreamKeys.Pattern("live/*")))
        let server = try await IngestServer.start(
            configuration: configuration, keys: keys, sink: sink, logger: logger)
        do {
            try await withTemporaryFolder { try await body(server, $0) }
        } catch {
            await server.shutDown()
            throw error
        }
        await server.shutDown()
    }

    /// TS packets with random content.
    func transportStream(packets: Int) -> [UInt8] {
        var random = SeededGenerator(seed: UInt64(packets))
        var bytes = [UInt8]()
        bytes.reserveCapacity(packets * 188)
        for index in 0..<packets * 188 {
            bytes.append(index % 188 == 0 ? 0x47 : UInt8(truncatingIfNeeded: random.next()))
        }
        return bytes
    }

    func transportFile(_ folder: String, packets: Int) throws -> (path: String, bytes: [UInt8]) {
        let bytes = transportStream(packets: packets)
        try Data(bytes).write(to: URL(fileURLWithPath: folder + "/input"))
        return (folder + "/input", bytes)
    }

    func url(_ server: IngestServer, _ path: String) throws -> String {
        "http://\(try #require(server.httpEndpoint))\(path)"
    }

    @Test("A file put by curl comes out byte for byte, with Content-Length, chunked and after 100-continue")
    func curlPut() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink) { server, folder in
            let (path, bytes) = try transportFile(folder, packets: 16_000)
            let target = try url(server, "/live/news?key=\(Self.key)")
            for (index, extra) in [[], ["-H", "Transfer-Encoding: chunked"], ["-X", "POST"]].enumerated() {
                let result = try await run(
                    ["curl", "-sS", "--max-time", "20", "-w", "%{http_code}", "-T", path] + extra + [target],
                    folder: folder)
                #expect(result.status == 0)
                #expect(result.output.hasPrefix("live/news: 3008000 bytes in "))
                #expect(result.output.hasSuffix(" packets\n200"))
                #expect(sink.now.bytes.count == bytes.count * (index + 1))
                #expect(Array(sink.now.bytes.suffix(bytes.count)) == bytes)
            }
            // Nearly all payloads are full; when the sender paused, whole TS packets were flushed early.
            #expect(sink.now.payloadLengths.count { $0 == 1_316 } > 6_000)
            #expect(sink.now.payloadLengths.allSatisfy { $0 % 188 == 0 })
            #expect(sink.now.closed == sink.now.opened && sink.now.opened.count == 3)
            #expect(sink.now.strays == 0)
            #expect(server.counters.value(.encodersAccepted) == 3)
        }
    }

    @Test("ffmpeg pushes MPEG-TS by PUT")
    func ffmpegPut() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink) { server, folder in
            let file = folder + "/copy.ts"
            let result = try await run(
                [
                    "ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i",
                    "testsrc=size=320x180:rate=25:duration=2", "-c:v", "mpeg2video", "-f", "mpegts", file,
                ], folder: folder)
            try #require(result.status == 0, "\(result.output)")
            let push = try await run(
                [
                    "ffmpeg", "-nostdin", "-loglevel", "error", "-i", file, "-c", "copy", "-f", "mpegts",
                    "-method", "PUT",
                    try url(server, "/live/news?key=\(Self.key)"),
                ], folder: folder)
            #expect(push.status == 0, "\(push.output)")
            #expect(await eventually { sink.now.closed.count == 1 })
            let bytes = sink.now.bytes
            #expect(bytes.count > 20_000 && bytes.count % 188 == 0)
            #expect(stride(from: 0, to: bytes.count, by: 188).allSatisfy { bytes[$0] == 0x47 })
        }
    }

    @Test("A refused push gets the reason, and is counted")
    func refusals() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink) { server, folder in
            let (path, _) = try transportFile(folder, packets: 1_000)
            func status(_ arguments: [String], _ target: String) async throws -> String {
                try await run(
                    ["curl", "-s", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}"] + arguments
                        + [try url(server, target)], folder: folder
                ).output
            }
            #expect(try await status(["-T", path], "/live/news") == "401")
            #expect(try await status(["-T", path], "/live/news?key=0123456789abcdeF") == "401")
            #expect(try await status(["-T", path, "-H", "Authorization: Bearer wrong-key"], "/live/news") == "401")
            #expect(try await status(["-T", path, "-H", "Expect:"], "/live/news?key=wrong-key") == "401")
            #expect(try await status(["-T", path], "/tv/news?key=\(Self.key)") == "404")
            #expect(try await status(["-T", path], "/live/News?key=\(Self.key)") == "404")
            #expect(try await status([], "/live/news?key=\(Self.key)") == "405")
            #expect(try await status(["-X", "DELETE"], "/live/news?key=\(Self.key)") == "405")
            #expect(sink.now.opened.isEmpty && sink.now.bytes.isEmpty)
            #expect(try await status(["-T", path, "-H", "Authorization: Bearer \(Self.key)"], "/live/news") == "200")
            let counted = server.counters.snapshot
            #expect(counted["ingest_refused_missing_key"] == 1)
            #expect(counted["ingest_refused_wrong_key"] == 3)
            #expect(counted["ingest_refused_unknown_stream"] == 2)
            #expect(counted["ingest_refused_method"] == 2)
        }
        let closed = MemorySink(admission: .unknownStream)
        try await withServer(sink: closed) { server, folder in
            let (path, _) = try transportFile(folder, packets: 5)
            let result = try await run(
                ["curl", "-s", "-T", path, try url(server, "/live/news?key=\(Self.key)")], folder: folder)
            #expect(result.output == "live/news is not a stream of this entrypoint\n")
        }
    }

    @Test("A second encoder of a stream is refused while the first sends, and takes over when the first is silent")
    func secondEncoder() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        // Time for curl to connect while the first encoder still counts as sending.
        configuration.yieldAfter = .milliseconds(1_500)
        try await withServer(sink: sink, configuration) { server, folder in
            let address = try #require(server.httpEndpoint)
            let first = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(host: address.address.description, port: Int(address.port)).get()
            let head = "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            try await first.writeAndFlush(ByteBuffer(string: head + "3\r\nabc\r\n"))
            #expect(await eventually { sink.now.opened.count == 1 })
            let (path, _) = try transportFile(folder, packets: 5)
            let command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", path]
            let target = try url(server, "/live/news?key=\(Self.key)")
            let refused = try await run(command + [target], folder: folder)
            #expect(refused.output == "409")
            try await Task.sleep(for: .milliseconds(1_600))
            let accepted = try await run(command + [target], folder: folder)
            #expect(accepted.output == "200")
            #expect(sink.now.opened.count == 2 && sink.now.closed == sink.now.opened)
            #expect(server.counters.value(.refusedBusy) == 1 && server.counters.value(.encodersYielded) == 1)
            #expect(sink.now.strays == 0)
            try await first.closeFuture.get()
        }
    }

    @Test("A file sent over raw TCP at full speed is accepted at the rate limit, byte for byte")
    func rateLimit() async throws {
        let sink = MemorySink()
        let news = try news()
        var configuration = try configuration()
        configuration.rateBitsPerSecondMax = 16_000_000
        configuration.rawTCP = [.init(stream: news, listen: try endpoint("127.47.0.1:0"))]
        try await withServer(sink: sink, configuration) { server, folder in
            let (path, bytes) = try transportFile(folder, packets: 10_640)
            let address = try #require(server.rawTCPEndpoints.first)
            let start = ContinuousClock.now
            let result = try await run(
                ["bash", "-c", "cat \(path) > /dev/tcp/\(address.address)/\(address.port)"], folder: folder)
            #expect(result.status == 0)
            #expect(await eventually { sink.now.closed.count == 1 })
            let took = ContinuousClock.now - start
            // 2,000,000 bytes minus the burst, at 2,000,000 bytes a second.
            #expect(took > .milliseconds(930) && took < .milliseconds(3_000), "\(took)")
            #expect(sink.now.bytes == bytes)
            #expect(server.counters.value(.throttled) > 20)
        }
    }

    @Test("While the node accepts nothing, only a bounded part of a stream is read")
    func backpressure() async throws {
        let sink = MemorySink()
        let news = try news()
        var configuration = try configuration()
        configuration.rawTCP = [.init(stream: news, listen: try endpoint("127.47.0.1:0"))]
        try await withServer(sink: sink, configuration) { server, folder in
            sink.hold()
            let (path, bytes) = try transportFile(folder, packets: 42_000)
            let address = try #require(server.rawTCPEndpoints.first)
            async let sent = run(
                ["bash", "-c", "cat \(path) > /dev/tcp/\(address.address)/\(address.port)"], folder: folder)
            #expect(await eventually { sink.now.bytes.count >= 131_072 })
            try await Task.sleep(for: .milliseconds(100))
            #expect(sink.now.bytes.count < 200_000)
            sink.release()
            #expect(try await sent.status == 0)
            #expect(await eventually { sink.now.closed.count == 1 })
            #expect(sink.now.bytes == bytes)
        }
    }

    @Test(
        "Datagrams from an allowed source form the stream; others, empty ones and those without MPEG-TS are counted"
    )
    func rawUDP() async throws {
        let sink = MemorySink()
        let news = try news()
        var configuration = try configuration()
        configuration.rawUDP = [.init(stream: news, listen: try endpoint("127.47.0.1:0"))]
        configuration.allow = [try #require(CIDRBlock("127.47.1.0/24"))]
        configuration.yieldAfter = .seconds(1)
        try await withServer(sink: sink, configuration) { server, _ in
            let port = try #require(server.rawUDPEndpoints.first)
            let encoder = try await DatagramPeer(host: "127.47.1.1")
            let other = try await DatagramPeer(host: "127.47.1.2")
            let foreign = try await DatagramPeer(host: "127.47.2.1")
            let stream = transportStream(packets: 500)
            try await other.send(Array("no stream".utf8), to: port)
            var sent = 0
            for length in [188, 1_316, 0, 1_472, 9_000, 60_000, 7] {
                try await encoder.send(Array(stream[sent..<sent + length]), to: port)
                sent += length
            }
            let whole = sent / 188 * 188
            #expect(await eventually { sink.now.bytes.count == whole })
            try await other.send(Array(stream[..<188]), to: port)
            try await foreign.send(Array(stream[..<188]), to: port)
            #expect(await eventually { server.counters.value(.refusedSource) == 1 })
            #expect(await eventually { server.counters.value(.refusedBusy) == 1 })
            #expect(sink.now.bytes == Array(stream[..<whole]))
            #expect(server.counters.value(.datagramNotTransportStream) == 1)
            #expect(server.counters.value(.datagramEmpty) == 1)
            #expect(await eventually { sink.now.closed.count == 1 })
            try await other.send(Array(stream[..<188]), to: port)
            #expect(await eventually { sink.now.opened.count == 2 })
            for peer in [encoder, other, foreign] { await peer.close() }
        }
    }

    @Test("A raw TCP connection from outside the allow-list is closed and counted")
    func rawTCPSource() async throws {
        let sink = MemorySink()
        let news = try news()
        var configuration = try configuration()
        configuration.rawTCP = [.init(stream: news, listen: try endpoint("127.47.0.1:0"))]
        configuration.allow = [try #require(CIDRBlock("10.0.0.0/8"))]
        try await withServer(sink: sink, configuration) { server, folder in
            let address = try #require(server.rawTCPEndpoints.first)
            _ = try await run(
                ["bash", "-c", "echo x > /dev/tcp/\(address.address)/\(address.port)"], folder: folder)
            #expect(await eventually { server.counters.value(.refusedSource) == 1 })
            #expect(sink.now.opened.isEmpty)
        }
    }

    @Test("Silent connections are dropped, both before and after the head")
    func timeouts() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        // The second client's head must arrive in time.
        configuration.headTimeout = .seconds(1)
        configuration.idleTimeout = .milliseconds(200)
        try await withServer(sink: sink, configuration) { server, _ in
            let address = try #require(server.httpEndpoint)
            let head = "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
            for text in ["PUT /li", head + "abc"] {
                let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: address.address.description, port: Int(address.port)).get()
                try await client.writeAndFlush(ByteBuffer(string: text))
                try await client.closeFuture.get()
            }
            #expect(server.counters.value(.headTimedOut) == 1)
            #expect(server.counters.value(.encodersTimedOut) == 1)
            #expect(await eventually { sink.now.closed.count == 1 })
            // No partial packet is forwarded.
            #expect(sink.now.bytes.isEmpty)
        }
    }

    @Test("A stream is pulled from its encoder after a redirect, and again after it ends")
    func pull() async throws {
        try await withTemporaryFolder { folder in
            let (_, bytes) = try transportFile(folder, packets: 2_660)
            let script = """
                import http.server, sys
                class H(http.server.SimpleHTTPRequestHandler):
                    def do_GET(self):
                        if self.path == '/moved':
                            self.send_response(302); self.send_header('Location', '/input'); self.end_headers()
                        else:
                            super().do_GET()
                    def log_message(self, *a): pass
                s = http.server.ThreadingHTTPServer(('127.47.0.3', 0), H)
                open('port.new', 'w').write(str(s.server_address[1]))
                import os; os.rename('port.new', 'port')
                s.serve_forever()
                """
            let encoder = try Companion(["python3", "-c", script], folder: folder)
            defer { encoder.stop() }
            #expect(await eventually { FileManager.default.fileExists(atPath: folder + "/port") })
            let port = try String(contentsOfFile: folder + "/port", encoding: .utf8)
            let sink = MemorySink()
            let news = try news()
            var configuration = try configuration()
            configuration.pulls = [.init(stream: news, url: "http://127.47.0.3:\(port)/moved")]
            try await withServer(sink: sink, configuration) { server, _ in
                server.setPullWanted(true, news)
                #expect(await eventually { sink.now.closed.count == 2 })
                #expect(Array(sink.now.bytes.prefix(bytes.count)) == bytes)
                #expect(Array(sink.now.bytes.dropFirst(bytes.count).prefix(bytes.count)) == bytes)
                #expect(server.counters.value(.pullFailed) == 0)
            }
        }
    }
}
