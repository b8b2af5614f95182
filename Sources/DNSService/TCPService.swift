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
                    let source = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
                    let isPrivileged = source.map { source in shared.privileged.contains { $0.contains(source) } }
                    try channel.pipeline.syncOperations.addHandler(
                        TCPConnection(answers: shared, isPrivileged: isPrivileged ?? false))
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

    var counters: [String: UInt64] {
        get async {
            let answers = answers
            return (try? await loop.submit { answers.value.counters }.get()) ?? [:]
        }
    }

    func stop() async { try? await group.shutdownGracefully() }
}
