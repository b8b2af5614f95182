/// What ingest counts, each under the name that `/metrics` and `status` show.
public enum IngestCounter: String, CaseIterable, Sendable {
    case encodersAccepted = "ingest_encoders_accepted"
    case encodersEnded = "ingest_encoders_ended"
    /// Gave their stream up, silent, to another encoder.
    case encodersYielded = "ingest_encoders_yielded"
    case encodersTimedOut = "ingest_encoders_timed_out"
    case bytes = "ingest_bytes"
    case payloads = "ingest_payloads"
    /// Times that an encoder was read more slowly because of the rate limit.
    case throttled = "ingest_throttled"
    case refusedMethod = "ingest_refused_method"
    case refusedMissingKey = "ingest_refused_missing_key"
    case refusedWrongKey = "ingest_refused_wrong_key"
    case refusedUnknownStream = "ingest_refused_unknown_stream"
    case refusedBusy = "ingest_refused_busy"
    case refusedTooManyEncoders = "ingest_refused_too_many_encoders"
    case refusedTooManyConnections = "ingest_refused_too_many_connections"
    case refusedUnavailable = "ingest_refused_unavailable"
    case refusedSource = "ingest_refused_source"
    case refusedMalformed = "ingest_refused_malformed"
    case headTimedOut = "ingest_head_timed_out"
    case datagramTooLarge = "ingest_datagram_too_large"
    case datagramEmpty = "ingest_datagram_empty"
    case datagramOverRate = "ingest_datagram_over_rate"
    case datagramOverload = "ingest_datagram_overload"
    case pullFailed = "ingest_pull_failed"
    case pullRefused = "ingest_pull_refused"
}

/// Counters of one ingest.
public typealias IngestCounters = CounterSet<IngestCounter>
