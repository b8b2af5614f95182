import Logging
import NIOCore
import NIOPosix
import ReflectorModel
import Synchronization
import TestSupport
import Testing

@testable import RelayService

/// Attacks by clients, and reports to operators.
extension IngestServerTests {
    /// Sends text to the HTTP server; returns everything received until it closes, and how long that took.
    func exchange(
        _ server: IngestServer, _ text: String, from source: String = "127.47.0.7"
    ) async throws -> (answer: String, took: Duration) {
        let address = try #require(server.httpEndpoint)
        let start = ContinuousClock.now
        let answer = AnswerCollector()
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(to: SocketAddress(ipAddress: source, port: 0))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(answer) }
            }
            .connect(host: address.address.description, port: Int(address.port)).get()
        // The server may have closed already.
        try? await client.writeAndFlush(ByteBuffer(string: text))
        try await client.closeFuture.get()
        return (answer.text, ContinuousClock.now - start)
    }

    @Test("100-continue is accepted in upper and lower case; a body without length or chunks is refused, not ignored")
    func bodyForms() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        configuration.idleTimeout = .milliseconds(300)
        try await withServer(sink: sink, configuration) { server, _ in
            let head = "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\n"
            let expected = try await exchange(
                server, head + "Expect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n"
            ).answer
            // No body arrives: the idle time-out ends the connection.
            #expect(expected.hasPrefix("HTTP/1.1 100 Continue"))
            let unstated = try await exchange(server, head + "\r\nbytes of a stream").answer
            #expect(unstated.hasPrefix("HTTP/1.1 411"))
            #expect(sink.now.bytes.isEmpty)
            #expect(server.counters.value(.refusedMalformed) == 1)
        }
    }

    @Test("The answer to a wrong key is delayed, and one address gets only its share of the connections")
    func guessing() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        configuration.wrongKeyDelay = .milliseconds(300)
        configuration.connectionsPerAddressMax = 3
        configuration.rawTCP = [.init(stream: try news(), listen: try endpoint("127.47.0.1:0"))]
        try await withServer(sink: sink, configuration) { server, _ in
            let head = "PUT /live/news?key=wrong-key-0 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n"
            let wrong = try await exchange(server, head)
            #expect(wrong.answer.hasPrefix("HTTP/1.1 401"))
            #expect(wrong.took >= .milliseconds(300))
            // The next connections come from another address, because the server takes some time to notice that the
            // previous one has closed. Raw ports need no key, so their connections are not closed to make room for
            // others.
            let source = "127.47.0.8"
            let address = try #require(server.rawTCPEndpoints.first)
            var open: [any Channel] = []
            for _ in 0..<3 {
                open.append(
                    try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                        .bind(to: SocketAddress(ipAddress: source, port: 0))
                        .connect(host: address.address.description, port: Int(address.port)).get())
            }
            // Further encoders of the stream are refused, because the first holds the stream.
            for channel in open.dropFirst() { try await channel.closeFuture.get() }
            #expect(server.counters.value(.refusedBusy) == 2)
            for channel in open { try? await channel.close() }
            #expect(
                await eventually {
                    (try? await exchange(server, head, from: source).answer.hasPrefix("HTTP/1.1 401")) == true
                })
        }
    }

    @Test("Silent connections are evicted for new ones, per address and in total; encoders stay")
    func idleConnections() async throws {
        let sink = MemorySink()
        var configuration = try configuration()
        (configuration.connectionsPerAddressMax, configuration.connectionsMax) = (4, 10)
        try await withServer(sink: sink, configuration) { server, _ in
            let address = try #require(server.httpEndpoint)
            func connect(from source: String) async throws -> any Channel {
                try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .bind(to: SocketAddress(ipAddress: source, port: 0))
                    .connect(host: address.address.description, port: Int(address.port)).get()
            }
            let encoder = try await connect(from: "127.47.0.21")
            let head = "PUT /live/news?key=\(Self.key) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            try await encoder.writeAndFlush(ByteBuffer(string: head))
            #expect(await eventually { sink.now.opened.count == 1 })
            var idle: [any Channel] = []
            for source in ["127.47.0.21", "127.47.0.22", "127.47.0.23", "127.47.0.24"] {
                for _ in 0..<8 { idle.append(try await connect(from: source)) }
            }
            #expect(await eventually { server.counters.value(.connectionsEvicted) == 32 - 9 })
            #expect(encoder.isActive)
            let answer = try await exchange(
                server, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", from: "127.47.0.25"
            ).answer
            #expect(answer.hasPrefix("HTTP/1.1 405"))
            #expect(encoder.isActive && server.counters.value(.refusedTooManyConnections) == 0)
            for channel in idle + [encoder] { try? await channel.close() }
        }
    }

    @Test("While the node accepts nothing, bytes that trickle in do not make the queue grow beyond its bound")
    func dribble() async throws {
        let sink = MemorySink()
        sink.hold()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let news = try news()
        let capacity = try await loop.submit {
            let session = EncoderSession(
                id: IngestSession(stream: news, number: 1), from: EncoderOrigin(input: .tcp),
                policy: StreamPolicy(isPull: false), loop: loop, sink: sink, configuration: IngestConfiguration(),
                counters: IngestCounters(),
                reports: IngestReports(loop: loop, counters: IngestCounters(), logger: Logger(label: "test")))
            // Once the sink has as many untaken bytes as it may have, further bytes wait in the session.
            while session.isReady { session.receive(ByteBuffer(repeating: 0x47, count: 18_800)) }
            for _ in 0..<10_000 { session.receive(ByteBuffer(integer: UInt8(0x47))) }
            defer { session.revoke(isReplaced: false) }
            return session.queueCapacity
        }.get()
        #expect(capacity <= 131_072)
    }

    @Test("An address on which listening fails is reported with the reason and the remedy")
    func unbindable() async throws {
        let sink = MemorySink()
        try await withServer(sink: sink) { server, _ in
            let taken = try #require(server.httpEndpoint)
            for (text, part) in [("\(taken)", "another process listens"), ("192.0.2.1:8000", "no interface of this")] {
                var configuration = IngestConfiguration()
                configuration.httpListen = try endpoint(text)
                let failure = await #expect(throws: ListenFailure.self) {
                    _ = try await IngestServer.start(
                        configuration: configuration, keys: StreamKeys(), sink: sink, logger: Logger(label: "test"))
                }
                let description = try #require(failure).description
                #expect(description.hasPrefix("cannot listen on TCP \(text) for encoders that push by HTTP: "))
                #expect(description.contains(part), "\(description)")
            }
        }
    }
}

/// Collects everything that a connection receives.
private final class AnswerCollector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let collected = Mutex("")

    var text: String { collected.withLock { $0 } }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = String(buffer: unwrapInboundIn(data))
        collected.withLock { $0 += part }
    }
}
