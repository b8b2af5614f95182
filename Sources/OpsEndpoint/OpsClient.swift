import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import ReflectorModel

/// Asks running processes for their status, for `reflector status`, `trace` and `up`.
public struct OpsClient: Sendable {
    /// Why there is no answer.
    public enum Failure: Error, CustomStringConvertible {
        /// No answer within the time-out, or no connection; with the cause.
        case unreachable(Endpoint, String)
        /// An unusable answer: its HTTP status, or what is wrong with the body.
        case unusable(Endpoint, String)

        public var description: String {
            switch self {
            case .unreachable(let endpoint, let cause): "\(endpoint) does not answer: \(cause)"
            case .unusable(let endpoint, let cause): "\(endpoint) answers, but not with a status: \(cause)"
            }
        }
    }

    /// Of all: it lives as long as the process. A connection that is refused is not tried again until the time is over.
    private static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }()

    /// Longest body read.
    private static let bodyBytesMax = 16 << 20

    private let timeout: TimeAmount

    /// - Parameter timeout: for a whole request.
    public init(timeout: Duration = .seconds(1)) { self.timeout = TimeAmount(timeout) }

    /// Most pages of streams that are asked of a node: more than its table can have.
    private static let pagesMax = 256

    /// The status of the node whose `OpsEndpoint` listens at `endpoint`, with all its streams, page by page.
    public func nodeStatus(of endpoint: Endpoint) async throws(Failure) -> NodeStatus {
        var whole = try await status(NodeStatus.self, of: endpoint)
        var (asked, pages) = (0, 1)
        while let next = whole.nextStreams, next > asked, pages < Self.pagesMax {
            let page = try await status(NodeStatus.self, at: "/status?from=\(next)", of: endpoint)
            whole.streams += page.streams
            whole.nextStreams = page.nextStreams
            (asked, pages) = (next, pages + 1)
        }
        return whole
    }

    /// Any process's status.
    public func status<Status: Decodable>(_ type: Status.Type, of endpoint: Endpoint) async throws(Failure) -> Status {
        try await status(type, at: "/status", of: endpoint)
    }

    private func status<Status: Decodable>(
        _ type: Status.Type, at path: String, of endpoint: Endpoint
    ) async throws(Failure) -> Status {
        let data = try await get(path, of: endpoint)
        do {
            let decoder = JSONDecoder()
            decoder.nonConformingFloatDecodingStrategy = .convertFromString(
                positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
            return try decoder.decode(type, from: data)
        } catch {
            throw .unusable(
                endpoint, "its /status is not what was expected; is it another kind of process, or of another version?")
        }
    }

    /// True if the process reports at `/readyz` that it is ready.
    public func isReady(_ endpoint: Endpoint) async -> Bool { (try? await get("/readyz", of: endpoint)) != nil }

    /// Sends a signed command. Returns the answer with its signature, which the caller must check.
    public func post(
        _ path: String, body: [UInt8], signature: String, to endpoint: Endpoint
    ) async throws(Failure) -> (body: [UInt8], signature: String) {
        var request = HTTPClientRequest(url: "http://\(endpoint)\(path)")
        request.method = .POST
        request.headers.add(name: OpsSignature.header, value: signature)
        request.body = .bytes(body)
        let answer = try await execute(request, of: endpoint)
        return (Array(answer.body.readableBytesView), answer.headers.first(name: OpsSignature.header) ?? "")
    }

    private func get(_ path: String, of endpoint: Endpoint) async throws(Failure) -> Data {
        let answer = try await execute(HTTPClientRequest(url: "http://\(endpoint)\(path)"), of: endpoint)
        return Data(answer.body.readableBytesView)
    }

    private struct Answer: Sendable {
        var status: UInt = 0
        var headers = HTTPHeaders()
        var body = ByteBuffer()
    }

    private func execute(_ request: HTTPClientRequest, of endpoint: Endpoint) async throws(Failure) -> Answer {
        let answer: Answer
        do {
            answer = try await withThrowingTaskGroup(of: Answer.self) { [timeout] group in
                // The client's own deadline ends with the head; this one covers the body too.
                group.addTask {
                    try await Task.sleep(for: .nanoseconds(timeout.nanoseconds))
                    throw HTTPClientError.deadlineExceeded
                }
                group.addTask {
                    let response = try await Self.client.execute(request, timeout: timeout)
                    return Answer(
                        status: response.status.code, headers: response.headers,
                        body: try await response.body.collect(upTo: Self.bodyBytesMax))
                }
                defer { group.cancelAll() }
                return try await group.next() ?? Answer()
            }
        } catch {
            throw .unreachable(endpoint, cause(of: error))
        }
        guard answer.status == 200 else { throw .unusable(endpoint, "HTTP \(answer.status)") }
        return answer
    }

    private func cause(of error: any Error) -> String {
        switch error {
        case let error as IOError: String(cString: strerror(error.errnoCode)).lowercased()
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { cause(of: $0.error) } ?? "no connection"
        case let error as HTTPClientError where [.deadlineExceeded, .connectTimeout, .readTimeout].contains(error):
            "no answer within \(Double(timeout.nanoseconds) / 1e9) s"
        default: "\(error)"
        }
    }
}
