import Foundation
import HTTPServing
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ReflectorModel
import ServiceLifecycle

/// The HTTP endpoint for operators and monitoring: `/healthz` (the process runs), `/readyz` (it can do its work),
/// `/status` (JSON) and `/metrics` (Prometheus). A node reports its `NodeStatus`; the name server reports its own
/// status.
public struct OpsEndpoint<Status: Encodable & Sendable>: Service {
    /// Where to listen.
    public struct Configuration: Sendable {
        /// With port 0 the kernel chooses a port, which is passed to `onReady`.
        public var endpoint: Endpoint
        /// Limits of the port's connections. Answers are short, so the oldest connection is closed for a new one: a
        /// client that fills the port can't block a health check.
        public var bounds = ConnectionBounds(
            connectionsMax: 256, connectionsPerAddressMax: 64, headTimeout: .seconds(5), stallTimeout: .seconds(10),
            closesBusy: true)

        public init(endpoint: Endpoint) { self.endpoint = endpoint }
    }

    /// A signed request, and the function that answers it.
    public struct Command: Sendable {
        /// For example `/override`.
        public var path: String
        /// Receives the body and its signature. If it returns nil, the response is 403 without a reason.
        public var perform:
            @Sendable (_ body: [UInt8], _ signature: String) async -> (body: [UInt8], signature: String)?

        public init(
            path: String,
            perform:
                @escaping @Sendable (_ body: [UInt8], _ signature: String) async -> (
                    body: [UInt8], signature: String
                )?
        ) {
            self.path = path
            self.perform = perform
        }
    }

    private let configuration: Configuration
    private let logger: Logger
    private let responder: CallbackResponder<BasicRequestContext>
    private let onReady: @Sendable (Endpoint) -> Void
    private let events = ConnectionEventCounts()

    /// - Parameters:
    ///   - status: the document at `/status`; for a node, it contains a page of the node's streams
    ///     (`/status?from=N&count=M`).
    ///   - metrics: the samples at `/metrics`.
    ///   - ready: for `/readyz`: nil while the process can do its work, otherwise the reason why it cannot.
    ///   - command: the command that may be POSTed; none by default.
    ///   - onReady: called once with the bound address.
    public init(
        configuration: Configuration, logger: Logger,
        status: @escaping @Sendable (StreamPage) async -> Status,
        metrics: @escaping @Sendable () async -> [MetricSample],
        ready: @escaping @Sendable () async -> String?, command: Command? = nil,
        onReady: @escaping @Sendable (Endpoint) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.logger = logger
        self.onReady = onReady
        responder = CallbackResponder { [events] request, _ in
            if let command, request.method == .post, request.uri.path == command.path {
                return await Self.answer(request, by: command)
            }
            guard request.method == .get || request.method == .head else {
                return Self.answer(.methodNotAllowed, "only GET and HEAD\n")
            }
            return
                switch request.uri.path
            {
            case "/healthz": Self.answer(.ok, "ok\n")
            case "/readyz":
                if let reason = await ready() {
                    Self.answer(.serviceUnavailable, "not ready: \(reason)\n")
                } else {
                    Self.answer(.ok, "ready\n")
                }
            case "/status":
                if let page = Self.page(of: request) {
                    Self.json(await status(page))
                } else {
                    Self.answer(.badRequest, "from must be 0 or more, count 0 to \(StreamPage.countMax)\n")
                }
            case "/metrics":
                Self.answer(
                    .ok, MetricText.text(await metrics() + events.samples),
                    type: "text/plain; version=0.0.4; charset=utf-8")
            default: Self.answer(.notFound, "/healthz /readyz /status /metrics\n")
            }
        }
    }

    /// Serves until the task is cancelled or the service group shuts down. Throws if the address cannot be bound.
    public func run() async throws {
        let service = HTTPService(
            configuration: .init(
                endpoint: configuration.endpoint, name: "health and status", bounds: configuration.bounds,
                onEvent: { [events] in events.count($0) }),
            responder: responder, logger: logger, onReady: onReady)
        try await service.run()
    }

    /// Nil if the request's parameters do not describe a valid page.
    private static func page(of request: Request) -> StreamPage? {
        func number(_ name: Substring, else usual: Int) -> Int? {
            guard let text = request.uri.queryParameters[name] else { return usual }
            return Int(text)
        }
        guard let from = number("from", else: 0), let count = number("count", else: StreamPage.countDefault) else {
            return nil
        }
        return StreamPage(from: from, count: count)
    }

    private static func answer(_ request: Request, by command: Command) async -> Response {
        guard let body = try? await request.body.collect(upTo: OpsSignature.bodyBytesMax) else {
            return answer(.contentTooLarge, "at most \(OpsSignature.bodyBytesMax) bytes\n")
        }
        let signature = HTTPField.Name(OpsSignature.header).flatMap { request.headers[$0] } ?? ""
        guard let reply = await command.perform(Array(body.readableBytesView), signature) else {
            return answer(.forbidden, "not signed with the right key\n")
        }
        var response = answer(.ok, String(decoding: reply.body, as: UTF8.self), type: "application/json")
        if let name = HTTPField.Name(OpsSignature.header) { response.headers[name] = reply.signature }
        return response
    }

    private static func json(_ status: Status) -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // A rate over an empty interval is not a number; the rest of the status is still reported.
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let data = try? encoder.encode(status) else {
            return answer(.internalServerError, "the status cannot be encoded\n")
        }
        return answer(.ok, String(decoding: data, as: UTF8.self) + "\n", type: "application/json")
    }

    private static func answer(
        _ status: HTTPResponse.Status, _ text: String, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        let buffer = ByteBuffer(string: text)
        let headers: HTTPFields = [
            .contentType: type, .contentLength: "\(buffer.readableBytes)", .cacheControl: "no-store",
        ]
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: buffer))
    }
}

/// How commands to `OpsEndpoint` and their answers are signed.
enum OpsSignature {
    /// Header of the signature.
    static let header = "Reflector-Signature"
    /// Longest accepted body.
    static let bodyBytesMax = 4_096
}
