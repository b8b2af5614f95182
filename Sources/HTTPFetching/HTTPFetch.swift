import NIOCore
import NIOHTTP1

/// A request over http or https with libcurl, on its own connection: GET, or POST if it has a body.
///
/// HTTP/1.1 only. Redirects are returned like other answers. Requests ask for no compression and use no proxy;
/// credentials come only from `headers`. Servers are not trusted: the size of heads is limited, and a body is read only
/// as fast as its reader takes it.
///
/// Why libcurl: Swift's own client (AsyncHTTPClient) has its own TLS library, which took a fifth of the time of our
/// whole build and does not get the system's security updates.
public struct HTTPFetch: Sendable {
    /// Without user and password: credentials go into `headers`, so no log shows them.
    public var url: String
    public var headers = HTTPHeaders()
    /// Nil for GET.
    public var body: [UInt8]?
    /// Longest time for name look-up, TCP and TLS.
    public var connectTimeout = Duration.seconds(10)
    /// Longest pause between the request and the first byte, and between any two bytes. It does not count while the
    /// server waits for the reader of the body. Nil for no limit.
    public var idleTimeout: Duration?
    /// Longest time from the request to the end of the body. Nil for no limit.
    public var timeout: Duration?

    /// A request whose only time limit is `connectTimeout`.
    public init(_ url: String) { self.url = url }

    /// Sends the request and waits for the head of the answer; the caller then reads the body from the returned answer.
    /// Cancelling the task ends the request.
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
