import ReflectorModel
import RelayWire

/// Largest payload of a stream that all paths behind this node carry.
struct PayloadLimit {
    private(set) var bytes = WireLimits.payloadUsual
    private var loweredAt: MonotonicInstant = .zero

    /// At an entrypoint, payloads are not raised sooner than this after they were lowered.
    private static let span: TimeSpan = .seconds(60)

    var isUsual: Bool { bytes >= WireLimits.payloadUsual }

    mutating func follow(_ limit: Int) { bytes = limit }

    /// Follows the limit at the stream's entrypoint, where a child that joins and leaves repeatedly must not make the
    /// payload size oscillate: the limit is lowered at once, but raised only after `span`. False if the limit stays as
    /// it is.
    mutating func followSlowly(_ limit: Int, at now: MonotonicInstant) -> Bool {
        let isLower = limit < bytes
        if isLower { loweredAt = now }
        guard isLower || now - loweredAt >= Self.span else { return false }
        bytes = limit
        return true
    }
}
