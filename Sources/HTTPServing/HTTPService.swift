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

/// An HTTP/1.1 server that sleeps while there are no requests, since an idle node must not wake (`tools/bench/relay`).
/// It replaces Hummingbird's `Application`, whose clock wakes the process every second.
public struct HTTPService<Responder: HTTPResponder>: Service
where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
    /// Where and how to listen.
    public struct Configuration: Sendable {
        /// With port 0 the kernel chooses a port, which is passed to `onReady`.
        public var endpoint: Endpoint
        /// The purpose of the port, for the log.
        public var name: String
        public var bounds: ConnectionBounds
        /// Counts the events of connections.
        public var onEvent: @Sendable (ConnectionEvent) -> Void

        public init(
            endpoint: Endpoint, name: String, bounds: ConnectionBounds,
            onEvent: @escaping @Sendable (ConnectionEvent) -> Void = { _ in }
        ) {
            self.endpoint = endpoint
            self.name = name
            self.bounds = bounds
            self.onEvent = onEvent
        }
    }

    /// Maximum number of connections that the kernel holds until we accept them.
    private static var backlog: Int { 1_024 }

    /// The request ended in the middle of the response.
    private struct BrokenOff: Error {}

    private let configuration: Configuration
    private let responder: Responder
    private let logger: Logger
    private let limiter: ConnectionLimiter
    private let onReady: @Sendable (Endpoint) -> Void

    /// - Parameter onReady: called once with the bound address.
    public init(
        configuration: Configuration, responder: Responder, logger: Logger,
        onReady: @escaping @Sendable (Endpoint) -> Void
    ) {
        self.configuration = configuration
        self.responder = responder
        self.onReady = onReady
        var bounds = configuration.bounds
        bounds.connectionsMax = min(bounds.connectionsMax, OpenFiles.forConnections)
        limiter = ConnectionLimiter(
            bounds: bounds, name: configuration.name, logger: logger, onEvent: configuration.onEvent)
        var quiet = logger
        // The server logs only two kinds of errors: that a stop has cancelled its accept loop, and failures that `run`
        // throws anyway.
        quiet.logLevel = .critical
        self.logger = quiet
    }

    /// Serves until the task is cancelled or the service group shuts down. Throws if the address cannot be bound.
    public func run() async throws {
        let endpoint = configuration.endpoint
        let channel = BoundedHTTPChannel(limiter: limiter) { [responder, logger] request, writer, channel in
            let context = Responder.Context(source: .init(channel: channel, logger: logger))
            let response = try await Self.respond(to: request, with: responder, context)
            // Sends the head that the answer to a GET would have, including its length (RFC 9110 §9.3.2).
            if request.method == .head { return try await writer.writeResponse(response.head) }
            do {
                try await writer.write(response: response.head, body: response.body)
            } catch is HTTPParserError {
                // Hummingbird would send an answer to this error itself, although part of a response has been sent
                // already.
                throw BrokenOff()
            }
        }
        let server = Server(
            childChannelSetup: channel,
            configuration: ServerConfiguration(
                address: .hostname("\(endpoint.address)", port: Int(endpoint.port)), backlog: Self.backlog),
            onServerRunning: { [onReady] channel in
                let port = UInt16(clamping: channel.localAddress?.port ?? Int(endpoint.port))
                onReady(Endpoint(address: endpoint.address, port: port))
            }, eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
        try await server.run()
    }

    /// The current time in the format of RFC 9110 §5.6.7. It does not use Foundation, because its formatters cost more
    /// than the rest of a response.
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
        if let name = HTTPField.Name(RequestRules.mark), let problem = request.headers[name] {
            response = Response(
                status: .badRequest, headers: [.contentType: "text/plain; charset=utf-8", .cacheControl: "no-store"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: problem + "\n")))
            return withDate(response)
        }
        do {
            response = try await responder.respond(to: request, context: context)
        } catch let error as HTTPParserError {
            throw error
        } catch {
            response = Response(status: .internalServerError)
        }
        return withDate(response)
    }

    /// Adds the Date field (RFC 9110 §6.6.1) and the Server field.
    private static func withDate(_ response: Response) -> Response {
        var response = response
        response.headers[.date] = date()
        response.headers[.server] = "reflector"
        return response
    }
}
