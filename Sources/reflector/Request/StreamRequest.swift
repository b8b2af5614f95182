import HTTPFetching
import NIOCore
import ReflectorModel

/// One request at an edge, as HTTP. `PUT` and `DELETE` are spelled as `POST`: `HTTPFetch` sends only that and GET.
struct StreamRequest: Sendable {
    enum Answer: Sendable {
        /// The stream comes to this address; or it will as soon as the edge has it.
        case accepted(url: String, isFlowing: Bool)
        /// With the edge's reason. It may help to ask again later.
        case refused(String, isFinal: Bool)
        case unreachable(String)
    }

    private static let bodyBytesMax = 4_096
    /// An edge waits two seconds for a stream's first byte.
    private static let timeout = Duration.seconds(8)

    let edge: String
    let stream: StreamName
    let to: Endpoint?
    let client: String
    let seconds: Int

    /// Requests or renews.
    func ask() async -> Answer {
        do throws(HTTPFetchFailure) {
            let answer = try await send(seconds: seconds)
            let text = String(buffer: answer.body).prefix { !$0.isNewline }
            switch answer.status {
            case 200, 202: return .accepted(url: String(text), isFlowing: answer.status == 200)
            case 404, 429, 500...: return .refused(String(text), isFinal: false)
            default: return .refused(String(text), isFinal: true)
            }
        } catch {
            return .unreachable("\(error)")
        }
    }

    func withdraw() async { _ = try? await send(seconds: 0) }

    private func send(seconds: Int) async throws(HTTPFetchFailure) -> HTTPWholeAnswer {
        let target = to.map { "&to=\($0)" } ?? ""
        var fetch = HTTPFetch("\(edge)/request/\(stream)?client=\(client)&seconds=\(seconds)\(target)")
        // Not empty, because a body makes it a POST; the edge ignores it.
        fetch.body = [UInt8(ascii: "\n")]
        fetch.timeout = Self.timeout
        return try await fetch.wholeAnswer(bodyBytesMax: Self.bodyBytesMax)
    }
}
