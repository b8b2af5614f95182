import ReflectorModel
import Synchronization

/// How many streams that the edge does not carry viewers may ask for, by address and in all: anybody can invent names,
/// and each costs the network look-ups and subscriptions. What turns out to be a stream costs nothing, so that a proxy
/// may ask for hundreds; whoever asks for what does not exist waits ever longer, and is then refused.
///
/// A virtual scheduler (ITU-T I.371, GCRA): each address has the instant at which it has paid for what it asked.
final class NewNameLimit: Sendable {
    struct Rate: Sendable {
        /// What one name costs.
        var interval: Duration
        /// Names at once.
        var burst: Int
        /// Longest wait; beyond, a request is refused.
        var waitMax: Duration
    }

    enum Verdict: Equatable {
        case admitted
        /// It may go on after this.
        case wait(Duration)
        case refused
    }

    /// Addresses that are told apart. Beyond, new ones share what is left for all.
    static let addressesMax = 8_192

    private struct State {
        var paidUntil: [IPAddress: ContinuousClock.Instant] = [:]
        /// Of addresses that have not asked for a new name lately, and of those that have: who asks again and again
        /// leaves those alone who come for the first time.
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

    /// Whether an address may ask for one more name.
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

    /// What the address asked for is a stream: it gets back what it paid.
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

    /// Takes the price of one name. Returns how long the name has to wait.
    private static func charge(
        _ paidUntil: inout ContinuousClock.Instant?, _ rate: Rate, at now: ContinuousClock.Instant
    ) -> Duration {
        let next = max(paidUntil ?? now, now) + rate.interval
        paidUntil = next
        return max(next - now - rate.interval * rate.burst, .zero)
    }

    /// Forgets the addresses that have paid; at most ten times a second, since it looks at all.
    private func sweep(_ state: inout State, at now: ContinuousClock.Instant) {
        if let swept = state.swept, now - swept < .milliseconds(100) { return }
        state.swept = now
        state.paidUntil = state.paidUntil.filter { $0.value > now }
    }

    /// An IPv6 host has as many addresses as it likes in its /64.
    private static func key(_ address: IPAddress?) -> IPAddress {
        guard let address else { return IPAddress(high: 0, low: 0) }
        return address.isV4 ? address : IPAddress(high: address.high, low: 0)
    }
}
