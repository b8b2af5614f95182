/// Outcomes of queries. Every query counts once as `received` and once under either its outcome or the reason for its
/// rejection. The counters in `onTop` are counted in addition to that.
public enum AnswerCounter: Int, CaseIterable, Sendable {
    case received
    case answered
    case referred
    case noData
    case nameError
    case truncated
    case explained
    case chaosAnswered
    /// NOERROR: no question, only a request for our server cookie (RFC 7873 §5.4).
    case cookieFetched
    /// The query's server cookie is ours and has not expired: the source is not forged.
    case cookieValid
    /// The query's server cookie is not one of ours, or has expired.
    case cookieWrong
    /// Over the rate limit: sent without records, with the TC bit.
    case rateTruncated
    /// Over the rate limit: not sent.
    case rateDropped
    /// Signed, or a transfer request: handed to the request handler, which may pass the contained query back to us.
    case handedOver
    /// Dropped: shorter than a header.
    case tooShort
    /// Dropped: a response (QR = 1).
    case isResponse
    /// NOTIMP: an operation other than QUERY.
    case badOperation
    /// FORMERR: not exactly one question, or records in a section that is empty in queries.
    case badCounts
    /// FORMERR: the question's name is compressed, too long or cut off.
    case badQuestion
    /// FORMERR: a record after the question is cut off, or bytes follow the last record.
    case badTail
    /// FORMERR: a second OPT record, an OPT record whose owner is not the root, or a malformed option.
    case badEDNS
    /// BADVERS: EDNS newer than version 0.
    case badVersion
    /// NOTAUTH: signed, and there is no request handler that could verify the signature.
    case signed
    /// REFUSED: a class other than IN and ANY, and not a query that one of our CHAOS names answers.
    case badClass
    /// REFUSED: the name is in none of our zones.
    case outOfZone
    /// REFUSED: an AXFR or IXFR query; NOTIMP: an AXFR query over UDP.
    case transferRefused
    /// REFUSED: a query for `explain` or `_status` from a source that is not allowed to ask.
    case explainRefused

    /// Counters that are counted in addition to an outcome.
    public static let onTop: [AnswerCounter] = [
        .truncated, .explained, .cookieValid, .cookieWrong, .rateTruncated, .rateDropped,
    ]

    /// The counter's name as a metric label, such as `name_error`.
    public var name: String {
        var result = ""
        for character in "\(self)" {
            if character.isUppercase, result.last?.isLowercase == true { result.append("_") }
            result.append(contentsOf: character.lowercased())
        }
        return result
    }
}
