import CCurl
import Glibc

/// Why there is no answer, or no end of it. No case holds anything of the URL, the fields or the answer.
public enum HTTPFetchFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The task was cancelled.
    case cancelled
    /// One of the request's times is over.
    case timedOut
    /// There is no connection; with errno, 0 if there is none.
    case notConnected(errno: Int32)
    /// The head is longer than `AnswerHeadReader.bytesMax`.
    case headTooLong
    /// The head is not HTTP/1.
    case headMalformed
    /// A transfer coding other than chunked, which nobody asked for.
    case transferCoding
    /// The body is longer than the caller takes, in bytes.
    case bodyTooLong(Int)
    /// More than `CurlThread.transfersMax` fetches are under way.
    case tooManyFetches
    /// Anything else, by its CURLcode.
    case libcurl(UInt32)

    public var description: String {
        switch self {
        case .cancelled: "cancelled"
        case .timedOut: "no answer in time"
        case .notConnected(0): "no connection"
        case .notConnected(let code): String(cString: strerror(code)).lowercased()
        case .headTooLong: "the head of the answer is longer than \(AnswerHeadReader.bytesMax) bytes"
        case .headMalformed: "the answer is not HTTP"
        case .transferCoding: "the answer has a transfer coding that nobody asked for"
        case .bodyTooLong(let bytes): "the answer is longer than \(bytes) bytes"
        case .tooManyFetches: "more than \(CurlThread.transfersMax) fetches are under way"
        case .libcurl(CURLE_PEER_FAILED_VERIFICATION.rawValue):
            "the server's certificate is not trusted, or not for its name"
        case .libcurl(let code): String(cString: curl_easy_strerror(CURLcode(code)))
        }
    }
}
