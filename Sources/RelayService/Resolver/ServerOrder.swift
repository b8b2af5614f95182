import ReflectorModel

/// The order in which the name servers are queried: servers without a recent failure first, and among them the fastest
/// first. Equal servers keep the configured order.
struct ServerOrder {
    /// A server that failed is queried after the others for this long.
    static let penalty = TimeSpan.seconds(5)

    private struct ServerState {
        var roundTrip: TimeSpan?
        var failedAt: MonotonicInstant?
    }

    private var states: [ServerState]

    init(count: Int) { states = Array(repeating: ServerState(), count: count) }

    /// Indices of the servers in query order. Among servers without a recent failure, those without a measured
    /// round-trip time come first, so that each is tried.
    func indices(at now: MonotonicInstant) -> [Int] {
        func key(_ index: Int) -> (Int, Int64, Int) {
            let state = states[index]
            let isPenalised = state.failedAt.map { now - $0 < Self.penalty } ?? false
            return (isPenalised ? 1 : 0, state.roundTrip?.nanoseconds ?? 0, index)
        }
        return states.indices.sorted { key($0) < key($1) }
    }

    mutating func succeeded(_ index: Int, roundTrip: TimeSpan) {
        guard states.indices.contains(index) else { return }
        states[index].failedAt = nil
        // Smoothed as in TCP (RFC 6298 §2), so that one slow answer does not change the order.
        states[index].roundTrip = states[index].roundTrip.map { ($0 * 7 + roundTrip) / 8 } ?? roundTrip
    }

    mutating func failed(_ index: Int, at now: MonotonicInstant) {
        guard states.indices.contains(index) else { return }
        states[index].failedAt = now
    }
}
