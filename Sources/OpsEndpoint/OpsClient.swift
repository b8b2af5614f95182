import Foundation
import HTTPFetching
import NIOCore
import ReflectorModel

/// Queries running processes for their status, for `reflector status`, `trace` and `up`.
public struct OpsClient: Sendable {
    /// Why there is no answer.
    public enum Failure: Error, CustomStringConvertible {
        /// No answer within the time-out, or no connection; with the cause.
        case unreachable(Endpoint, String)
        /// An unusable answer: its HTTP status, or what is wrong with the body.
        case unusable(Endpoint, String)
        /// Nobody whom the process knows has signed the command.
        case forbidden(Endpoint)

        public var description: String {
            switch self {
            case .unreachable(let endpoint, let cause): "\(endpoint) does not answer: \(cause)"
            case .unusable(let endpoint, let cause): "\(endpoint) answers, but not with a status: \(cause)"
            case .forbidden(let endpoint):
                "\(endpoint) refuses it (HTTP 403): none of the operators in its `operators` file has signed it"
            }
        }
    }

    /// Longest body read.
    private static let bodyBytesMax = 16 << 20

    private let timeout: Duration

    /// - Parameter timeout: for a whole request.
    public init(timeout: Duration = .seconds(1)) { self.timeout = timeout }

    /// Maximum number of pages of streams requested from a node: more than its table can fill.
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

    /// The status of any kind of process.
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
                endpoint, "its /status is not as expected; is this another kind of process, or another version?")
        }
    }

    /// True if the process reports at `/readyz` that it is ready.
    public func isReady(_ endpoint: Endpoint) async -> Bool { (try? await get("/readyz", of: endpoint)) != nil }

    /// Sends a signed command. Returns the answer with its signature, which the caller must check.
    public func post(
        _ path: String, body: [UInt8], signature: String, to endpoint: Endpoint
    ) async throws(Failure) -> (body: [UInt8], signature: String) {
        var request = request(path, to: endpoint)
        request.headers.add(name: OpsSignature.header, value: signature)
        request.body = body
        let answer = try await execute(request, of: endpoint)
        return (Array(answer.body.readableBytesView), answer.headers.first(name: OpsSignature.header) ?? "")
    }

    private func get(_ path: String, of endpoint: Endpoint) async throws(Failure) -> Data {
        let answer = try await execute(request(path, to: endpoint), of: endpoint)
        return Data(answer.body.readableBytesView)
    }

    private func request(_ path: String, to endpoint: Endpoint) -> HTTPFetch {
        var request = HTTPFetch("http://\(endpoint)\(path)")
        request.timeout = timeout
        return request
    }

    private func execute(_ request: HTTPFetch, of endpoint: Endpoint) async throws(Failure) -> HTTPWholeAnswer {
        let answer: HTTPWholeAnswer
        do {
            answer = try await request.wholeAnswer(bodyBytesMax: Self.bodyBytesMax)
        } catch .timedOut {
            throw .unreachable(endpoint, "no answer within \(timeout / .seconds(1)) s")
        } catch {
            throw .unreachable(endpoint, "\(error)")
        }
        guard answer.status != 403 else { throw .forbidden(endpoint) }
        guard answer.status == 200 else { throw .unusable(endpoint, "HTTP \(answer.status)") }
        return answer
    }
}
