import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import ReflectorModel
import ServiceLifecycle

/// An HTTP/1.1 server that sleeps while nobody asks: Hummingbird's `Application` has a clock that wakes the process each
/// second, and an idle node does not wake (`tools/bench/relay`).
public struct HTTPService<Responder: HTTPResponder>: Service
where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
    /// Where and how to listen.
    public struct Configuration: Sendable {
        /// Port 0 takes a free one, told to `onReady`.
        public var endpoint: Endpoint
        /// A connection without a request is closed after this long.
        public var idleTimeout: TimeAmount
        /// Most connections at once; further ones wait.
        public var connectionsMax: Int

        public init(endpoint: Endpoint, idleTimeout: TimeAmount, connectionsMax: Int) {
            self.endpoint = endpoint
            self.idleTimeout = idleTimeout
            self.connectionsMax = connectionsMax
        }
    }

    /// The request ended in the middle of the response.
    private struct BrokenOff: Error {}

    private let configuration: Configuration
    private let responder: Responder
    private let logger: Logger
    private let onReady: @Sendable (Endpoint) -> Void

    /// - Parameter onReady: called once with the bound address.
    public init(
        configuration: Configuration, responder: Responder, logger: Logger,
        onReady: @escaping @Sendable (Endpoint) -> Void
    ) {
        self.configuration = configuration
        self.responder = responder
        self.onReady = onReady
        var quiet = logger
        // Its errors are the accept loop that a stop cancels, and failures that `run` throws anyway.
        quiet.logLevel = .critical
        self.logger = quiet
    }

    /// Serves until the task is cancelled or the service group shuts down. Throws if the address cannot be bound.
    public func run() async throws {
        let endpoint = configuration.endpoint
        let server = try HTTPServerBuilder.http1(configuration: .init(idleTimeout: configuration.idleTimeout))
            .buildServer(
                configuration: ServerConfiguration(
                    address: .hostname("\(endpoint.address)", port: Int(endpoint.port)),
                    availableConnectionsDelegate: MaximumAvailableConnections(configuration.connectionsMax)),
                eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger,
                responder: { [responder, logger] request, writer, channel in
                    let context = Responder.Context(source: .init(channel: channel, logger: logger))
                    let response = try await Self.respond(to: request, with: responder, context)
                    do {
                        try await writer.write(response: response.head, body: response.body)
                    } catch is HTTPParserError {
                        // This error itself would be answered, after half a response.
                        throw BrokenOff()
                    }
                },
                onServerRunning: { [onReady] channel in
                    let port = UInt16(clamping: channel.localAddress?.port ?? Int(endpoint.port))
                    onReady(Endpoint(address: endpoint.address, port: port))
                })
        try await server.run()
    }

    /// Now, as RFC 9110 §5.6.7 writes it. Not by Foundation: its formats cost more than the rest of an answer.
    private static func date() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            let length = strftime(text.baseAddress, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            return String(decoding: UnsafeRawBufferPointer(text)[..<length], as: UTF8.self)
        }
    }

    private static func respond(
        to request: Request, with responder: Responder, _ context: Responder.Context
    ) async throws(HTTPParserError) -> Response {
        var response: Response
        do {
            response = try await responder.respond(to: request, context: context)
        } catch let error as HTTPParserError {
            throw error
        } catch {
            response = Response(status: .internalServerError)
        }
        // RFC 9110 §6.6.1.
        response.headers[.date] = date()
        response.headers[.server] = "reflector"
        return response
    }
}
