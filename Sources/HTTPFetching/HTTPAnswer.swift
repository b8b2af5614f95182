import NIOCore
import NIOHTTP1

/// An answer whose head has arrived.
public struct HTTPAnswer: Sendable {
    /// The status code, 200 to 999.
    public let status: UInt
    public let headers: HTTPHeaders
    public let body: HTTPAnswerBody
}

/// A complete answer.
public struct HTTPWholeAnswer: Sendable {
    /// The status code, 200 to 999.
    public let status: UInt
    public let headers: HTTPHeaders
    public let body: ByteBuffer
}

/// The body of an answer, in pieces as they arrive. Only one reader may read it, and only once. A reader that pauses
/// makes the server wait: at most `Exchange.heldBytesMax` bytes and one more read are buffered. The connection closes
/// when the body is released.
public struct HTTPAnswerBody: AsyncSequence, Sendable {
    let lease: ExchangeLease

    public func makeAsyncIterator() -> Iterator { Iterator(lease: lease) }

    public struct Iterator: AsyncIteratorProtocol {
        let lease: ExchangeLease

        /// The next piece, never empty; nil at the end. Throws `HTTPFetchFailure`.
        public mutating func next() async throws -> ByteBuffer? { try await lease.exchange.bytes() }
    }
}

/// Ends its exchange when the last reader releases the lease.
final class ExchangeLease: Sendable {
    let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    deinit { exchange.cancel() }
}
