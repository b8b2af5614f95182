import DNSAnswers
import NIOCore
import NIOPosix
import ReflectorModel

/// The TCP half of the name server: one event loop, all listeners and connections on it.
final class TCPService: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let loop: any EventLoop
    private let answers: NIOLoopBound<TCPAnswers>
    private let connectionsMax: Int

    init(engine: AnswerEngine, privileged: [AddressBlock], connectionsMax: Int) async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        self.group = group
        self.connectionsMax = connectionsMax
        let loop = group.next()
        self.loop = loop
        answers = try await loop.submit {
            NIOLoopBound(TCPAnswers(engine: engine, privileged: privileged), eventLoop: loop)
        }.get()
    }

    /// Listens on `endpoint`. Returns where: the port may have been 0.
    func listen(_ endpoint: Endpoint) async throws -> Endpoint {
        let answers = answers
        let connectionsMax = connectionsMax
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.writeBufferWaterMark, value: .init(low: 16_384, high: 65_536))
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let shared = answers.value
                    guard shared.open < connectionsMax else {
                        shared.refused &+= 1
                        throw ChannelError.ioOnClosedChannel
                    }
                    guard let source = channel.remoteAddress?.ipAddress.flatMap({ IPAddress($0) }) else {
                        throw ChannelError.ioOnClosedChannel
                    }
                    try channel.pipeline.syncOperations.addHandler(TCPConnection(answers: shared, source: source))
                }
            }
            .bind(host: endpoint.address.description, port: Int(endpoint.port)).get()
        guard let port = channel.localAddress?.port else { return endpoint }
        return Endpoint(address: endpoint.address, port: UInt16(truncatingIfNeeded: port))
    }

    func replace(_ engine: AnswerEngine) {
        let answers = answers
        loop.execute { answers.value.replace(engine) }
    }

    func replace(_ cookies: ServerCookies) {
        let answers = answers
        loop.execute { answers.value.replace(cookies) }
    }

    /// What connections and their queries add to the server's metrics.
    var samples: [MetricSample] {
        get async {
            let answers = answers
            let tally = try? await loop.submit { answers.value.tally }.get()
            let connections = await counters.filter { $0.key.hasPrefix("tcp_connections_") }.sorted { $0.key < $1.key }
            return (tally ?? AnswerTally()).samples(transport: "tcp")
                + connections.map { name, value in
                    let isGauge = name == "tcp_connections_open"
                    return MetricSample(
                        name: "reflector_dns_\(name)" + (isGauge ? "" : "_total"), value: Double(value),
                        kind: isGauge ? .gauge : .counter, help: "TCP connections.")
                }
        }
    }

    var counters: [String: UInt64] {
        get async {
            let answers = answers
            return (try? await loop.submit { answers.value.counters }.get()) ?? [:]
        }
    }

    func stop() async { try? await group.shutdownGracefully() }
}
