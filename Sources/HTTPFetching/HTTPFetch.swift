import NIOCore
import NIOHTTP1

/// A request over http or https by libcurl, on a connection of its own: GET, or POST if it has a body.
///
/// HTTP/1.1 only. Redirects are answers like others; compression is not asked for; proxies and credentials come from
/// nowhere but `headers`. Servers are not trusted: heads are bounded, bodies wait for their reader.
///
/// Why libcurl: what Swift has for this (AsyncHTTPClient) brings a TLS library of its own, which took a fifth of the
/// time of our whole build and whose security updates are not the system's.
public struct HTTPFetch: Sendable {
    /// Without user and password: credentials go into `headers`, and so into no log.
    public var url: String
    public var headers = HTTPHeaders()
    /// Nil for GET.
    public var body: [UInt8]?
    /// Longest time for name look-up, TCP and TLS.
    public var connectTimeout = Duration.seconds(10)
    /// Longest pause: between the request and the first byte, and between any bytes. It does not run while the reader
    /// of the body lets the server wait. Nil for no bound.
    public var idleTimeout: Duration?
    /// Longest time from the request to the end of the body. Nil for no bound.
    public var timeout: Duration?

    /// A request without bounds of time, but for the connection.
    public init(_ url: String) { self.url = url }

    /// Sends the request and waits for the head of the answer; the body is read from there. Ends with the task.
    public func answer() async throws(HTTPFetchFailure) -> HTTPAnswer {
        let exchange = Exchange(on: .shared)
        let lease = ExchangeLease(exchange)
        exchange.thread.post(.start(self, exchange))
        let head = try await exchange.head()
        return HTTPAnswer(status: head.status, headers: head.headers, body: HTTPAnswerBody(lease: lease))
    }

    /// Sends the request and waits for the whole answer.
    ///
    /// - Parameter bodyBytesMax: a longer body is a failure.
    public func wholeAnswer(bodyBytesMax: Int) async throws(HTTPFetchFailure) -> HTTPWholeAnswer {
        let answer = try await answer()
        var body = ByteBuffer()
        while var bytes = try await answer.body.lease.exchange.bytes() {
            guard body.readableBytes + bytes.readableBytes <= bodyBytesMax else { throw .bodyTooLong(bodyBytesMax) }
            body.writeBuffer(&bytes)
        }
        return HTTPWholeAnswer(status: answer.status, headers: answer.headers, body: body)
    }
}
