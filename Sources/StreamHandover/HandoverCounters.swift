import ReflectorModel
import Synchronization

/// Events of the hand-over over UDP, by the name of their counter.
enum HandoverCounter: String, CaseIterable, Sendable {
    case requests = "output_requests"
    case renewed = "output_requests_renewed"
    case withdrawn = "output_requests_withdrawn"
    case expired = "output_requests_expired"
    case refusedRequester = "output_refused_requester"
    case refusedMalformed = "output_refused_malformed"
    case refusedTarget = "output_refused_target"
    case refusedTaken = "output_refused_taken"
    case refusedNames = "output_refused_names"
    case refusedFull = "output_refused_full"
    case refusedUnavailable = "output_refused_unavailable"
    case absent = "output_streams_absent"
    case begun = "output_begun"
    case ended = "output_ended"
    case evicted = "output_evicted"
    case collisions = "output_group_collisions"
    case datagrams = "output_datagrams"
    case bytes = "output_bytes"
    case bytesSkipped = "output_bytes_skipped"
    case sendFailures = "output_send_failures"
    case skips = "output_skips"
    case throttled = "output_throttled"
}

/// The counters of the hand-over since the start, readable from any thread.
final class HandoverCounters: Sendable {
    private let values = Mutex([UInt64](repeating: 0, count: HandoverCounter.allCases.count))
    private static let indexes = Dictionary(
        uniqueKeysWithValues: HandoverCounter.allCases.enumerated().map { ($1, $0) })

    func count(_ counter: HandoverCounter, _ number: UInt64 = 1) {
        guard number > 0, let index = Self.indexes[counter] else { return }
        values.withLock { $0[index] &+= number }
    }

    /// All counters by name, including those at zero.
    var snapshot: [String: UInt64] {
        let values = values.withLock { $0 }
        return Dictionary(uniqueKeysWithValues: zip(HandoverCounter.allCases.map(\.rawValue), values))
    }
}
