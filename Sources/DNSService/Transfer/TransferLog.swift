import ReflectorModel
import Synchronization

/// The latest transfer of each zone to each secondary, and counts of transfer requests and NOTIFY messages by outcome.
final class TransferLog: Sendable {
    /// Maximum number of transfers that are remembered, one for each address and zone; the oldest is evicted.
    static let secondariesMax = 256

    private struct Key: Hashable {
        var address: IPAddress
        var zone: String
    }

    private struct State {
        var secondaries: [Key: NameServer.Secondary] = [:]
        var counters: [TransferCounter: UInt64] = [:]
    }

    private let state = Mutex(State())

    func add(_ counter: TransferCounter) { state.withLock { $0.counters[counter, default: 0] &+= 1 } }

    func completed(_ transfer: NameServer.Secondary) {
        guard let address = IPAddress(transfer.address) else { return }
        state.withLock { state in
            let key = Key(address: address, zone: transfer.zone)
            if state.secondaries[key] == nil, state.secondaries.count >= Self.secondariesMax,
                let oldest = state.secondaries.min(by: { $0.value.at < $1.value.at })
            {
                state.secondaries[oldest.key] = nil
            }
            state.secondaries[key] = transfer
        }
    }

    /// Sorted by address, then by zone.
    var secondaries: [NameServer.Secondary] {
        state.withLock { $0.secondaries.values.sorted { ($0.address, $0.zone) < ($1.address, $1.zone) } }
    }

    var samples: [MetricSample] {
        counters.sorted { $0.key < $1.key }.map { name, value in
            MetricSample(
                name: "reflector_dns_\(name)_total", value: Double(value), kind: .counter,
                help: "Transfer requests and NOTIFY messages by outcome.")
        }
    }

    var counters: [String: UInt64] { state.withLock { $0.counters.byName } }
}

/// Outcomes of transfer requests and NOTIFY messages.
enum TransferCounter: String, CaseIterable {
    case whole = "transfers_axfr"
    case changes = "transfers_ixfr"
    /// Clients that were up to date.
    case current = "transfers_current"
    /// IXFR answered with the whole zone: the client's serial is unknown, or the difference is larger than the zone.
    case fallback = "transfers_ixfr_as_axfr"
    /// The connection closed before the end.
    case broken = "transfers_broken"
    /// Refused by address or key.
    case refused = "transfers_refused"
    /// Refused: too many concurrent transfers.
    case busy = "transfers_busy"
    /// Refused: the zone has too many records.
    case tooLarge = "transfers_too_large"
    case signedRequests = "tsig_verified"
    case badKey = "tsig_bad_key"
    case badSignature = "tsig_bad_signature"
    case badTime = "tsig_bad_time"
    case badTruncation = "tsig_bad_truncation"
    case notifySent = "notify_sent"
    case notifyAnswered = "notify_answered"
    case notifyGivenUp = "notify_given_up"
}

extension NameServer {
    /// The latest transfer of a zone to a secondary.
    public struct Secondary: Codable, Sendable, Equatable {
        public var address: String
        public var zone: String
        /// The serial that the transfer contained.
        public var serial: UInt32
        /// Seconds since 1970.
        public var at: Int64
        /// `axfr`, `ixfr`, or `current` if the secondary was up to date.
        public var kind: String
        public var records: Int
        public var bytes: Int
        /// Name of the key that signed the request; nil without a signature.
        public var key: String?
    }
}
