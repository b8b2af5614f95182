import CCurl
import Glibc

/// Why there is no answer, or only a part of it. No case holds any part of the URL, the header fields or the answer.
public enum HTTPFetchFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// The task was cancelled.
    case cancelled
    /// One of the request's time limits was exceeded.
    case timedOut
    /// The connection failed, with its errno, or 0 if there is none.
    case notConnected(errno: Int32)
    /// The head is longer than `AnswerHeadReader.bytesMax`.
    case headTooLong
    /// The head is not HTTP/1.
    case headMalformed
    /// A transfer coding other than chunked, which the request did not allow.
    case transferCoding
    /// The body is longer than the caller allows, in bytes.
    case bodyTooLong(Int)
    /// `CurlThread.transfersMax` fetches are running already.
    case tooManyFetches
    /// Any other failure, with its CURLcode.
    case libcurl(UInt32)

    public var description: String {
        switch self {
        case .cancelled: "cancelled"
        case .timedOut: "no answer in time"
        case .notConnected(0): "no connection"
        case .notConnected(let code): String(cString: strerror(code)).lowercased()
        case .headTooLong: "the head of the answer is longer than \(AnswerHeadReader.bytesMax) bytes"
        case .headMalformed: "the answer is not HTTP"
        case .transferCoding: "the answer has a transfer coding that the request did not allow"
        case .bodyTooLong(let bytes): "the answer is longer than \(bytes) bytes"
        case .tooManyFetches: "\(CurlThread.transfersMax) fetches are running already"
        case .libcurl(CURLE_PEER_FAILED_VERIFICATION.rawValue):
            "the server's certificate is not trusted, or is for another name"
        case .libcurl(let code): String(cString: curl_easy_strerror(CURLcode(code)))
        }
    }
}
