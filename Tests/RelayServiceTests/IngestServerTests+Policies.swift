import Foundation
import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import TestSupport
import Testing

@testable import RelayService

/// What the zone's policy of a stream and the election change at the ingest.
extension IngestServerTests {
    /// A client that begins to push a stream over HTTP.
    private func encoder(
        _ server: IngestServer, sending bytes: Int = 188, from source: String = "127.0.0.1"
    ) async throws -> any Channel {
        let address = try #require(server.httpEndpoint)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(to: SocketAddress(ipAddress: source, port: 0))
            .connect(host: address.address.description, port: Int(address.port)).get()
        let head = "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        var buffer = ByteBuffer(string: head + "\(String(bytes, radix: 16))\r\n")
        buffer.writeBytes(transportStream(packets: bytes / 188 + 1).prefix(bytes))
        buffer.writeString("\r\n")
        try await channel.writeAndFlush(buffer)
        return channel
    }

    private func leader(_ addresses: String...) throws -> IngestLeader {
        IngestLeader(name: "ep-nyc", addresses: try addresses.map { try #require(IPAddress($0)) })
    }

    private func push(_ server: IngestServer, _ folder: String, _ options: [String] = [], query: String = "")
        async throws -> String
    {
        let (path, _) = try transportFile(folder, packets: 20)
        let target = try url(server, "/live/news?key=\(Self.key)\(query)")
        let format = "%{http_code} %{redirect_url}"
        return try await run(
            ["curl", "-s", "--max-time", "10", "-o", "/dev/null", "-w", format, "-T", path] + options + [target],
            folder: folder
        ).output
    }

    @Test("A stream that says `redirect` sends its encoder to the leader: once, and never if the leader is unknown")
    func redirect() async throws {
        var policy = StreamPolicy(isPull: false, redirects: true)
        let sink = MemorySink()
        try await withServer(sink: sink) { server, folder in
            let port = try #require(server.httpEndpoint).port
            sink.set(.admitted(policy, leader: try leader("2001:db8::1", "192.0.2.7")))
            #expect(
                try await push(server, folder)
                    == "307 http://192.0.2.7:\(port)/live/news?key=\(Self.key)&redirected=yes")
            sink.set(.admitted(policy, leader: try leader("2001:db8::1")))
            #expect(
                try await push(server, folder)
                    == "307 http://[2001:db8::1]:\(port)/live/news?key=\(Self.key)&redirected=yes")
            #expect(sink.now.opened.isEmpty && server.counters.value(.encodersRedirected) == 2)
            // Entrypoints that disagree about the leader do not send an encoder in circles.
            #expect(try await push(server, folder, query: "&redirected=yes").hasPrefix("200"))
            // Never to itself; and without a leader, the encoder is welcome.
            sink.set(.admitted(policy, leader: try leader("127.47.0.1")))
            #expect(try await push(server, folder).hasPrefix("200"))
            sink.set(.admitted(policy, leader: nil))
            #expect(try await push(server, folder).hasPrefix("200"))
            // Both entrypoints of a hot stream must have the encoder's bytes.
            policy.standby = .hot
            sink.set(.admitted(policy, leader: try leader("192.0.2.7")))
            #expect(try await push(server, folder).hasPrefix("200"))
        }
    }

    @Test("A warm standby accepts an encoder; a cold one, or a barred one, answers 503 with Retry-After")
    func standbys() async throws {
        let sink = MemorySink()
        let log = LogCollector()
        try await withServer(sink: sink, logger: log.logger) { server, folder in
            sink.set(.admitted(StreamPolicy(isPull: false), leader: try leader("192.0.2.7")))
            #expect(try await push(server, folder).hasPrefix("200"))
            let cold = StreamPolicy(isPull: false, standby: .cold)
            sink.set(.admitted(cold, leader: try leader("192.0.2.7")))
            #expect(try await push(server, folder).hasPrefix("503"))
            let head = "\(folder)/head"
            #expect(try await push(server, folder, ["-D", head]).hasPrefix("503"))
            #expect(try String(contentsOfFile: head, encoding: .utf8).lowercased().contains("\r\nretry-after: "))
            sink.set(.admitted(cold))
            #expect(try await push(server, folder).hasPrefix("200"))
            sink.set(.barred(StreamPolicy(isPull: false), leader: nil))
            #expect(try await push(server, folder).hasPrefix("503"))
            sink.set(.barred(StreamPolicy(isPull: false, redirects: true), leader: try leader("192.0.2.7")))
            #expect(try await push(server, folder).hasPrefix("307"))
            #expect(server.counters.value(.refusedStandby) == 3)
            #expect(log.lines.contains { $0.hasPrefix("encoder refused: another entrypoint leads the stream") })
        }
    }

    @Test("curl, and ffmpeg with -send_expect_100, follow a redirect to the leader")
    func followed() async throws {
        let (standby, leading) = (MemorySink(), MemorySink())
        var configuration = try configuration()
        try await withServer(sink: standby, configuration) { server, folder in
            configuration.httpListen = Endpoint(
                address: try #require(IPAddress("127.47.0.2")), port: try #require(server.httpEndpoint).port)
            standby.set(
                .admitted(StreamPolicy(isPull: false, redirects: true), leader: try leader("127.47.0.2")))
            try await withServer(sink: leading, configuration) { _, _ in
                let (path, bytes) = try transportFile(folder, packets: 2_000)
                let target = try url(server, "/live/news?key=\(Self.key)")
                let curl = try await run(["curl", "-sS", "-L", "--max-time", "20", "-T", path, target], folder: folder)
                #expect(curl.status == 0 && curl.output.hasPrefix("live/news: \(bytes.count) bytes"), "\(curl.output)")
                let ffmpeg = try await run(
                    [
                        "ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i",
                        "testsrc=size=320x180:rate=25:duration=1", "-c:v", "mpeg2video", "-f", "mpegts",
                        "-method", "PUT", "-send_expect_100", "1", target,
                    ], folder: folder)
                #expect(ffmpeg.status == 0, "\(ffmpeg.output)")
                #expect(await eventually { leading.now.closed.count == 2 })
                #expect(Array(leading.now.bytes.prefix(bytes.count)) == bytes)
                #expect(leading.now.bytes.count > bytes.count + 20_000)
                #expect(standby.now.opened.isEmpty)
            }
        }
    }

    @Test("With `takeover`, the second encoder replaces the first at once; the stream does not lose its encoder")
    func takeover() async throws {
        let sink = MemorySink(admission: .admitted(StreamPolicy(isPull: false, secondEncoder: .takeover)))
        var configuration = try configuration()
        configuration.yieldAfter = .seconds(60)
        try await withServer(sink: sink, configuration) { server, folder in
            let first = try await encoder(server)
            #expect(await eventually { sink.now.opened.count == 1 })
            let second = try await encoder(server, from: "127.47.9.9")
            #expect(await eventually { sink.now.opened.count == 2 })
            try await first.closeFuture.get()
            #expect(sink.now.closed.count == 1 && sink.now.replaced == sink.now.closed)
            // The first one's next attempt is refused: otherwise the two would alternate.
            #expect(try await push(server, folder).hasPrefix("409"))
            #expect(server.counters.value(.encodersTakenOver) == 1)
            try await second.close()
            #expect(await eventually { sink.now.closed.count == 2 })
            #expect(sink.now.replaced.count == 1 && sink.now.strays == 0)
        }
    }

    @Test("A half-open connection is replaced by the encoder's next one")
    func reconnection() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        configuration.yieldAfter = .seconds(60)
        try await withServer(sink: sink, configuration) { server, folder in
            let first = try await encoder(server)
            #expect(await eventually { sink.now.opened.count == 1 })
            // Its encoder is gone, and nobody closed the connection. Until it counts as silent, others are refused.
            #expect(try await eventually("an accepted push") { try await push(server, folder).hasPrefix("200") } == ())
            #expect(server.counters.value(.encodersReconnected) == 1 && sink.now.replaced.count == 1)
            try await first.closeFuture.get()
        }
    }

    @Test("An encoder's end reaches the node at once, however its connection ends", arguments: 0..<5)
    func ends(way: Int) async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        let news = try news()
        configuration.rawTCP = [.init(stream: news, listen: try endpoint("127.47.0.1:0"))]
        configuration.idleTimeout = .seconds(60)
        try await withServer(sink: sink, configuration) { server, _ in
            let channel: any Channel
            if way < 3 {
                channel = try await encoder(server, sending: 1_000)
            } else {
                let address = try #require(server.rawTCPEndpoints.first)
                channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connect(host: address.address.description, port: Int(address.port)).get()
                try await channel.writeAndFlush(ByteBuffer(bytes: transportStream(packets: 5)))
            }
            // A reset may destroy what has not been read.
            #expect(await eventually { sink.now.bytes.count == 940 })
            switch way {
            // The end of the request, the end of the connection (FIN), its reset (RST); raw: FIN, RST.
            case 0: try await channel.writeAndFlush(ByteBuffer(string: "0\r\n\r\n"))
            case 1, 3: try await channel.close()
            default:
                let options = try #require(channel as? any SocketOptionProvider)
                try await options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
                try await channel.close()
            }
            #expect(await eventually(within: .seconds(5)) { sink.now.closed.count == 1 }, "\(way)")
            #expect(sink.now.bytes.count == 940)
            try? await channel.close()
        }
    }

    @Test("Hot: a lost connection's last payload may be incomplete and is dropped; the next request continues nothing")
    func hotEnds() async throws {
        let sink = MemorySink(admission: .admitted(StreamPolicy(isPull: false, standby: .hot)))
        try await withServer(sink: sink) { server, folder in
            let whole = try await encoder(server, sending: 940)
            try await whole.writeAndFlush(ByteBuffer(string: "0\r\n\r\n"))
            #expect(await eventually { sink.now.closed.count == 1 })
            #expect(sink.now.bytes.count == 940)
            // It follows a complete request.
            let lost = try await encoder(server, sending: 940)
            #expect(await eventually { sink.now.opened.count == 2 })
            try await lost.close()
            #expect(await eventually { sink.now.closed.count == 2 })
            #expect(sink.now.bytes.count < 2 * 940)
            #expect(try await push(server, folder).hasPrefix("200"))
            #expect(sink.now.isContinued == [false, true, false])
        }
    }

    @Test("A stream is pulled only while the node wants it: it starts at once and stops at once")
    func wantedPull() async throws {
        try await withTemporaryFolder { folder in
            // An encoder that never ends.
            let script = """
                import socket, threading, time, os
                def serve(s):
                    try:
                        while b'\\r\\n\\r\\n' not in s.recv(4096): pass
                        s.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')
                        while True:
                            s.sendall((b'\\x47' + bytes(187)) * 7); time.sleep(0.02)
                    except OSError: open('gone', 'a').write('x')
                l = socket.create_server(('127.47.0.5', 0))
                open('port.new', 'w').write(str(l.getsockname()[1])); os.rename('port.new', 'port')
                while True: threading.Thread(target=serve, args=(l.accept()[0],), daemon=True).start()
                """
            let encoder = try Companion(["python3", "-c", script], folder: folder)
            defer { encoder.stop() }
            #expect(await eventually { FileManager.default.fileExists(atPath: folder + "/port") })
            let port = try String(contentsOfFile: folder + "/port", encoding: .utf8)
            let (news, sink) = (try news(), MemorySink())
            var configuration = try configuration()
            configuration.pulls = [.init(stream: news, url: "http://127.47.0.5:\(port)/")]
            try await withServer(sink: sink, configuration) { server, _ in
                #expect(sink.now.opened.isEmpty && server.counters.value(.pullStarted) == 0)
                for turn in 1...3 {
                    server.setPullWanted(true, news)
                    server.setPullWanted(true, news)
                    #expect(await eventually { sink.now.opened.count == turn })
                    let before = sink.now.bytes.count
                    #expect(await eventually { sink.now.bytes.count > before })
                    server.setPullWanted(false, news)
                    #expect(await eventually { sink.now.closed.count == turn })
                    #expect(
                        await eventually {
                            (try? String(contentsOfFile: folder + "/gone", encoding: .utf8).count) == turn
                        })
                }
                // Start again before the stop has ended.
                server.setPullWanted(true, news)
                #expect(await eventually { sink.now.opened.count == 4 })
                server.setPullWanted(false, news)
                server.setPullWanted(true, news)
                #expect(await eventually { sink.now.opened.count == 5 })
                #expect(server.counters.value(.pullStarted) == 5 && server.counters.value(.refusedBusy) == 0)
                #expect(server.counters.value(.pullFailed) == 0 && sink.now.strays == 0)
            }
        }
    }

    @Test("An encoder that pushes a stream which the zone wants pulled is noticed once")
    func pullWanted() async throws {
        let sink = MemorySink(admission: .admitted(StreamPolicy(isPull: true)))
        let log = LogCollector()
        func notices() -> Int { log.lines.count { $0.hasPrefix("the zone says that entrypoints pull this stream") } }
        try await withServer(sink: sink, logger: log.logger) { server, folder in
            for _ in 0..<2 {
                let answer = try await push(server, folder)
                #expect(answer.hasPrefix("200"))
            }
            #expect(notices() == 1)
        }
        // With `--pull`, there is nothing to say.
        var configuration = try configuration()
        configuration.pulls = [.init(stream: try news(), url: "http://127.47.0.5:9/")]
        try await withServer(sink: sink, configuration, logger: log.logger) { server, folder in
            let answer = try await push(server, folder)
            #expect(answer.hasPrefix("200"))
            #expect(notices() == 1)
        }
    }

    @Test("Two entrypoints of a hot stream that get the same push hand over the same payloads")
    func hot() async throws {
        let policy = StreamPolicy(isPull: false, standby: .hot)
        let (one, two) = (MemorySink(admission: .admitted(policy)), MemorySink(admission: .admitted(policy)))
        try await withServer(sink: one) { first, folder in
            try await withServer(sink: two) { second, _ in
                let targets = try [first, second].map {
                    "[f=mpegts:method=PUT]" + (try url($0, "/live/news?key=\(Self.key)"))
                }
                let push = try await run(
                    [
                        "ffmpeg", "-nostdin", "-loglevel", "error", "-f", "lavfi", "-i",
                        "testsrc2=size=640x360:rate=25:duration=4", "-c:v", "mpeg2video", "-b:v", "5M", "-map", "0:v",
                        "-f", "tee", targets.joined(separator: "|"),
                    ], folder: folder)
                #expect(push.status == 0, "\(push.output)")
                #expect(await eventually { one.now.closed.count == 1 && two.now.closed.count == 1 })
                #expect(one.now.payloads == two.now.payloads && one.now.payloads.count > 100)
            }
        }
    }
}
