/// Counters of ingest, named as `/metrics` and `status` show them.
public enum IngestCounter: String, CaseIterable, Sendable {
    case encodersAccepted = "ingest_encoders_accepted"
    case encodersEnded = "ingest_encoders_ended"
    /// Silent encoders that yielded their stream to another encoder.
    case encodersYielded = "ingest_encoders_yielded"
    /// Half-open connections replaced by the encoder's next connection.
    case encodersReconnected = "ingest_encoders_reconnected"
    /// Encoders replaced by another one with the right key (`takeover`).
    case encodersTakenOver = "ingest_encoders_taken_over"
    /// Encoders redirected to the entrypoint that leads their stream.
    case encodersRedirected = "ingest_encoders_redirected"
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
    /// Encoders of cold streams that another entrypoint leads, or of streams for which this entrypoint is barred.
    case refusedStandby = "ingest_refused_standby"
    case refusedSource = "ingest_refused_source"
    case refusedMalformed = "ingest_refused_malformed"
    case refusedNotTransportStream = "ingest_refused_not_transport_stream"
    case headTimedOut = "ingest_head_timed_out"
    /// Connections without a key that were closed to make room for another.
    case connectionsEvicted = "ingest_connections_evicted"
    case datagramEmpty = "ingest_datagram_empty"
    /// Datagrams without MPEG-TS from a source that does not provide the stream.
    case datagramNotTransportStream = "ingest_datagram_not_transport_stream"
    case datagramOverRate = "ingest_datagram_over_rate"
    case datagramOverload = "ingest_datagram_overload"
    /// Datagrams that the kernel dropped because the receive buffer was full.
    case datagramKernelDropped = "ingest_datagram_kernel_dropped"
    /// Sequence numbers missing among the RTP packets of an encoder.
    case rtpMissing = "ingest_rtp_missing"
    /// Bytes dropped because they hold no MPEG-TS packet.
    case bytesOutOfSync = "ingest_bytes_out_of_sync"
    /// Times that an encoder's tables were repeated because it sends them too rarely.
    case tablesRepeated = "ingest_tables_repeated"
    /// Times that tables of a stream with `standby=hot` were missing for too long.
    case tablesMissing = "ingest_tables_missing"
    /// Packets cut off at the end of a connection.
    case partialPackets = "ingest_partial_packets"
    /// Payloads that did not fit into the queue of the node's loop.
    case payloadsRefused = "ingest_payloads_refused"
    /// Times that the node wanted a stream to be pulled.
    case pullStarted = "ingest_pull_started"
    case pullFailed = "ingest_pull_failed"
    case pullRefused = "ingest_pull_refused"
}

/// Counters of one ingest.
public typealias IngestCounters = CounterSet<IngestCounter>
