/// What a resolver counts, each under the name that `/metrics` and `status` show.
public enum ResolverCounter: String, CaseIterable, Sendable {
    case lookUps = "resolver_lookups"
    case records = "resolver_records"
    case noSuchName = "resolver_no_such_name"
    case noData = "resolver_no_data"
    case failed = "resolver_failed"
    /// Look-ups refused because too many were under way.
    case overloaded = "resolver_overloaded"
    case queriesUDP = "resolver_queries_udp"
    case queriesTCP = "resolver_queries_tcp"
    /// Queries to one server that brought nothing in time.
    case timeouts = "resolver_timeouts"
    /// Servers that could not be reached, or broke off.
    case unreachable = "resolver_unreachable"
    /// Answers that matched a query but are no use: malformed, not authoritative, SERVFAIL, REFUSED.
    case lame = "resolver_lame"
    /// Datagrams that answer no query of ours, by what gave them away.
    case mismatchedID = "resolver_mismatched_id"
    case mismatchedQuestion = "resolver_mismatched_question"
    case mismatchedHeader = "resolver_mismatched_header"
    case mismatchedCookie = "resolver_mismatched_cookie"
    /// Servers that wanted a fresh cookie (RFC 7873 §5.3).
    case badCookie = "resolver_bad_cookie"
}

public typealias ResolverCounters = CounterSet<ResolverCounter>
