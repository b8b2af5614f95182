/// Counters of a resolver, named as `/metrics` and `status` show them.
public enum ResolverCounter: String, CaseIterable, Sendable {
    case lookUps = "resolver_lookups"
    case records = "resolver_records"
    case noSuchName = "resolver_no_such_name"
    case noData = "resolver_no_data"
    case failed = "resolver_failed"
    /// Look-ups refused because too many were running.
    case overloaded = "resolver_overloaded"
    case queriesUDP = "resolver_queries_udp"
    case queriesTCP = "resolver_queries_tcp"
    /// Queries to one server without an answer in time.
    case timeouts = "resolver_timeouts"
    /// Queries to one server that could not be reached, or closed the connection early.
    case unreachable = "resolver_unreachable"
    /// Answers that matched a query but are unusable: malformed, not authoritative, SERVFAIL, REFUSED.
    case lame = "resolver_lame"
    /// Messages that do not answer our query, by the field that did not match.
    case mismatchedID = "resolver_mismatched_id"
    case mismatchedQuestion = "resolver_mismatched_question"
    case mismatchedHeader = "resolver_mismatched_header"
    case mismatchedCookie = "resolver_mismatched_cookie"
    /// Answers that ask for a new cookie (RFC 7873 §5.3).
    case badCookie = "resolver_bad_cookie"
}

public typealias ResolverCounters = CounterSet<ResolverCounter>
