import ReflectorModel
import Synchronization

/// Rate limit of requests for streams that the edge does not carry, per address and in total: anyone can invent names,
/// and each costs the network look-ups and subscriptions. A name that turns out to be a stream costs nothing, so that a
/// proxy may request hundreds. An address that requests names that do not exist waits longer and longer, and is then
/// refused.
///
/// A virtual scheduler (ITU-T I.371, GCRA): for each address, it keeps the time at which all requests of the address
/// will have been paid for.
final class NewNameRateLimiter: Sendable {
    struct Rate: Sendable {
        /// The time that one name costs.
        var interval: Duration
        /// How many names may be requested at once without a wait.
        var burst: Int
        /// Longest wait; a request that would wait longer is refused.
        var waitMax: Duration
    }

    enum Verdict: Equatable {
        case admitted
        /// The request may continue after this time.
        case wait(Duration)
        case refused
    }

    /// Maximum number of addresses with a limit of their own. When the table is full, only the shared limits apply to
    /// new addresses.
    static let addressesMax = 8_192

    private struct State {
        var paidUntil: [IPAddress: ContinuousClock.Instant] = [:]
        /// Two shared limits: one for addresses without a recent new name, one for the others. So addresses that
        /// request again and again do not block those that come for the first time.
        var first: ContinuousClock.Instant?
        var repeated: ContinuousClock.Instant?
        var swept: ContinuousClock.Instant?
    }

    private let perAddress: Rate
    private let inAll: Rate
    private let state = Mutex(State())

    init(
        perAddress: Rate = Rate(interval: .milliseconds(100), burst: 100, waitMax: .milliseconds(300)),
        inAll: Rate = Rate(interval: .milliseconds(2), burst: 1_000, waitMax: .seconds(1))
    ) {
        self.perAddress = perAddress
        self.inAll = inAll
    }

    /// Whether an address may request one more name.
    func ask(_ address: IPAddress?, at now: ContinuousClock.Instant) -> Verdict {
        let key = Self.key(address)
        return state.withLock { state in
            if state.paidUntil[key] == nil, state.paidUntil.count >= Self.addressesMax { sweep(&state, at: now) }
            let known = state.paidUntil[key]
            var own = known
            let ownWait = Self.charge(&own, perAddress, at: now)
            guard ownWait <= perAddress.waitMax else { return .refused }
            let isFirst = known.map { $0 <= now } ?? true
            let allWait =
                isFirst ? Self.charge(&state.first, inAll, at: now) : Self.charge(&state.repeated, inAll, at: now)
            guard allWait <= inAll.waitMax else {
                if isFirst { state.first = state.first.map { $0 - inAll.interval } }
                if !isFirst { state.repeated = state.repeated.map { $0 - inAll.interval } }
                return .refused
            }
            if known != nil || state.paidUntil.count < Self.addressesMax { state.paidUntil[key] = own }
            let wait = max(ownWait, allWait)
            return wait > .zero ? .wait(wait) : .admitted
        }
    }

    /// The requested name is a stream: refunds its cost to the address.
    func refund(_ address: IPAddress?, at now: ContinuousClock.Instant) {
        let key = Self.key(address)
        state.withLock { state in
            guard let paid = state.paidUntil[key] else { return }
            let before = paid - perAddress.interval
            state.paidUntil[key] = before <= now ? nil : before
        }
    }

    /// Addresses remembered now.
    var count: Int { state.withLock { $0.paidUntil.count } }

    /// Charges one name. Returns how long its request must wait.
    private static func charge(
        _ paidUntil: inout ContinuousClock.Instant?, _ rate: Rate, at now: ContinuousClock.Instant
    ) -> Duration {
        let next = max(paidUntil ?? now, now) + rate.interval
        paidUntil = next
        return max(next - now - rate.interval * rate.burst, .zero)
    }

    /// Removes addresses that owe nothing; at most ten times a second, because it visits all of them.
    private func sweep(_ state: inout State, at now: ContinuousClock.Instant) {
        if let swept = state.swept, now - swept < .milliseconds(100) { return }
        state.swept = now
        state.paidUntil = state.paidUntil.filter { $0.value > now }
    }

    /// An IPv6 host can use any address of its /64, so a /64 counts as one address.
    private static func key(_ address: IPAddress?) -> IPAddress {
        guard let address else { return IPAddress(high: 0, low: 0) }
        return address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }
}
