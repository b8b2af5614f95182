import DNSAnswers
import DatagramIO
import Glibc
import ReflectorModel

/// The TCP half of the name server: one loop on its own thread serves all listeners and connections. It uses the epoll
/// loop of the UDP half, not SwiftNIO: a query is answered in place in the loop's buffers without an allocation or a
/// channel pipeline, and the limits on connections and buffered bytes are checked in one place.
final class TCPService: Sendable {
    private let loop: DatagramLoop
    private let handler: LoopBound<TCPLoop>

    init(
        engine: AnswerEngine, privileged: [CIDRBlock], limits: TCPLimits, requestHandler: sending RequestHandler,
        sources: TransferSources
    ) throws {
        Self.allowDescriptors(limits.connectionsMax)
        var options = DatagramLoop.Options()
        // This loop has no datagram sockets, so its receive buffers can be minimal.
        options.batch = 1
        options.receiveBufferBytes = 1
        let loop = try DatagramLoop(options: options)
        self.loop = loop
        let handler = TCPLoop(
            engine: engine, loop: loop, limits: limits, privileged: privileged, requestHandler: requestHandler,
            sources: sources)
        self.handler = try loop.start(handler: handler, name: "dns-tcp")
    }

    /// Listens on `endpoint`. Returns the actual endpoint, since the given port may be 0.
    func listen(_ endpoint: Endpoint, freeBind: Bool = false) async throws -> Endpoint {
        let handler = handler
        let outcome = await loop.query { () -> Result<Endpoint, any Error> in
            Result {
                let listener = try StreamSocket.listen(endpoint, freeBind: freeBind)
                try handler.value.add(listener)
                return listener.endpoint
            }
        }
        guard let outcome else { throw NameServer.StartError.ports(endpoint) }
        return try outcome.get()
    }

    /// Returns once connections are answered from `engine`.
    func replace(_ engine: AnswerEngine) async {
        let handler = handler
        _ = await loop.query { handler.value.replace(engine) }
    }

    func replace(_ cookies: ServerCookies) {
        let handler = handler
        loop.execute { handler.value.replace(cookies) }
    }

    /// Metrics of connections and their queries.
    var samples: [MetricSample] {
        get async {
            let handler = handler
            let statistics = await loop.query { handler.value.responder.statistics } ?? QueryStatistics()
            let connections = await counters.filter { $0.key.hasPrefix("tcp_connections_") }.sorted { $0.key < $1.key }
            return statistics.samples(transport: "tcp")
                + connections.map { name, value in
                    let isGauge = name == "tcp_connections_open"
                    return MetricSample(
                        name: "reflector_dns_\(name)" + (isGauge ? "" : "_total"), value: Double(value),
                        kind: isGauge ? .gauge : .counter, help: "TCP connections and their queries by event.")
                }
        }
    }

    var counters: [String: UInt64] {
        get async {
            let handler = handler
            return await loop.query { handler.value.counters } ?? [:]
        }
    }

    func stop() async {
        loop.stop()
        let loop = loop
        await Task.detached { loop.join() }.value
    }

    /// Raises the limit of open descriptors as far as the system allows, for the connections and other open files.
    private static func allowDescriptors(_ connections: Int) {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        let wanted = min(limit.rlim_max, rlim_t(connections) + 512)
        guard limit.rlim_cur < wanted else { return }
        limit.rlim_cur = wanted
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
