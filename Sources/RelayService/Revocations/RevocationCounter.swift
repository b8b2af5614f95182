/// Counters of the watch over revocation lists, named as `/metrics` and `status` show them.
public enum RevocationCounter: String, CaseIterable, Sendable {
    /// Turns in which the name servers were asked for the number of the newest list.
    case polls = "revocation_polls"
    /// Turns in which no server answered, and lists that could not be fetched.
    case failures = "revocation_failures"
    /// Lists fetched and not accepted: damaged, not signed by an operator, or not newer.
    case rejected = "revocation_rejected"
    /// Not a count: the number of the list in force, 0 without one.
    case sequence = "revocation_sequence"
}

public typealias RevocationCounters = CounterSet<RevocationCounter>
