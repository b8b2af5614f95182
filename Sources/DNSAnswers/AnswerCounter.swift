/// Outcomes of queries. Every query counts as `received` and once more, by outcome or by the reason of its
/// rejection; those of `onTop` come on top of an outcome.
public enum AnswerCounter: Int, CaseIterable, Sendable {
    case received
    case answered
    case referred
    case noData
    case nameError
    case truncated
    case explained
    case chaosAnswered
    /// NOERROR: no question, only a cookie to be answered by ours (RFC 7873 §5.4).
    case cookieFetched
    /// The server's cookie in the query was ours and in time: the source is not forged.
    case cookieValid
    /// It was not, or no longer.
    case cookieWrong
    /// Over the limit and sent without records, with the TC bit.
    case rateTruncated
    /// Over the limit and not sent.
    case rateDropped
    /// Signed, or for a transfer: handed over to others, who may come back with the query it holds.
    case handedOver
    /// Dropped: shorter than a header.
    case tooShort
    /// Dropped: a response (QR = 1).
    case isResponse
    /// NOTIMP: an operation other than QUERY.
    case badOperation
    /// FORMERR: not exactly one question, or records where a query has none.
    case badCounts
    /// FORMERR: the question's name is compressed, too long or cut off.
    case badQuestion
    /// FORMERR: an additional record is cut off, or bytes follow the message.
    case badTail
    /// FORMERR: a second OPT record, one with an owner, or a broken option.
    case badEDNS
    /// BADVERS: EDNS newer than version 0.
    case badVersion
    /// NOTAUTH: signed with a key we don't have.
    case signed
    /// REFUSED: class other than IN, and no CHAOS name of ours.
    case badClass
    /// REFUSED: no zone of ours.
    case outOfZone
    /// REFUSED: AXFR or IXFR; NOTIMP: AXFR by UDP.
    case transferRefused
    /// REFUSED: `explain` or `_status` asked from a source without leave.
    case explainRefused

    /// Counters of queries that count by their outcome too.
    public static let onTop: [AnswerCounter] = [
        .truncated, .explained, .cookieValid, .cookieWrong, .rateTruncated, .rateDropped,
    ]

    /// As a metric's label: `name_error`.
    public var name: String {
        var result = ""
        for character in "\(self)" {
            if character.isUppercase, result.last?.isLowercase == true { result.append("_") }
            result.append(contentsOf: character.lowercased())
        }
        return result
    }
}
